// 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3), in bfloat16.
//
// A tile of 4x4 results needs 36 multiplications for each input and output channel instead of 144:
// the 6x6 pixels below it and the 3x3 taps become 36 points each, which are multiplied point by
// point, summed over the channels in float32 and turned into results. On each axis both are taken
// as polynomials, whose values at 0, 1, -1, 1/2, -2 and infinity are multiplied; `points_of_...`
// and `..._of_products` below say how. These places round less than 0, 1, -1, 2, -2 do.
//
// Sources: Lavin and Gray 2015, "Fast algorithms for convolutional neural networks",
// arXiv:1509.09308; the places: Barabasz et al. 2018, "Error analysis and improving the accuracy of
// Winograd convolution for deep neural networks", arXiv:1803.10986.
//
// Some lines of tiles are done at a time, so that their points stay in the processor's cache, and
// what the next block reads is fetched from memory while this one multiplies. The products are
// written here, with the processor's instruction for pairs of bfloat16: a library's would want
// points and products in memory, where they take more time than the multiplications saved.
// Where there are units for whole matrices (AMX), multiplications cost so little that the transforms
// would take longer than what they save; tiles.h is for those.

#pragma once

#include <algorithm>
#include <immintrin.h>
#include <type_traits>
#include <vector>

#include "convolution.h"
#include "vectors.h"

namespace {
namespace winograd {

using convolution::Buffer;
using convolution::Cut;
using convolution::in_pairs;
using convolution::Pairs;
using convolution::parts;

constexpr int TILE = 4;         // Results of a tile on each axis,
constexpr int SIDE = TILE + 2;  // and points.
constexpr int POINTS = SIDE * SIDE;
constexpr int ALL = SIDE + 1;          // The point of slopes that is their sum: the values at 1.
constexpr int ROWS = LANES / 2;        // Channels of a panel of pixels; all are multiples of it.
constexpr int COLUMNS = 2 * LANES;     // Output channels of a panel of weights or slopes.
constexpr int64_t TILES = 48;          // Of a block of the convolution,
constexpr int64_t WEIGHT_TILES = 128;  // and of the slopes of the weights; both measured.
constexpr int64_t ALIGNED = 32;        // Channels that fill a line of the cache.

struct Stack {  // Maps of images, one below the other.
    const bf16 *values;
    int64_t height, row;  // Rows of one, and values of a row.
};

struct Shape : convolution::Shape {
    int64_t high() const { return parts(out_height(), TILE); }  // Tiles on each other,
    int64_t wide() const { return parts(out_width(), TILE); }   // and beside each other.
    int64_t lines() const { return images * high(); }

    Stack pixels(const bf16 *in) const { return {in, height, width * channels}; }
    Stack results(const bf16 *out) const { return {out, out_height(), out_width() * outputs}; }
};

// Calls `work` with the first channel of each vector, and the number of channels in it.
template <class Work> inline void each_vector(int64_t first, int64_t end, Work work) {
    for (; first + LANES <= end; first += LANES) work(first, std::integral_constant<int, LANES>());
    if (first < end) work(first, std::integral_constant<int, ROWS>());
}

inline void narrow(bf16 *to, Floats values, int lanes) {
    const __m256i halves = (__m256i)_mm512_cvtneps_pbh((__m512)values);
    std::memcpy(to, &halves, lanes * sizeof(bf16));
}

inline Pairs paired(Floats first, Floats second) {  // One of each in every pair.
    return in_pairs((Pairs)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first));
}

// --- Tiles, and blocks of them -------------------------------------------------------------------

// Some lines of tiles. At some edges tiles stick out; what their last point of that axis would add
// is not asked for (or is 0). They are placed first and last, so that the tiles of which a point is
// asked for always stand behind one another.
struct Block {
    int64_t first, lines, count;
    std::vector<int32_t> places;       // Of each tile, line by line.
    int64_t from[POINTS], to[POINTS];  // The places where a point is asked for.

    // `unit`: what `from` and `to` shall be multiples of.
    void set(const Shape &shape, int64_t first_line, int64_t line_count, int64_t unit) {
        first = first_line, lines = line_count, count = lines * shape.wide();
        const int64_t wide = shape.wide(), edge = shape.out_width() % TILE > 0, end = first + lines;
        int64_t last_lines = 0;
        for (int64_t line = first; line < end; ++line) last_lines += sticks_out(shape, line);
        const int64_t inner = (lines - last_lines) * edge;  // Where the tiles inside start,
        const int64_t bottom = (lines - last_lines) * wide;  // those of the lowest lines,
        const int64_t corner = count - last_lines * edge;    // and those in corners.
        int64_t next[4] = {inner, 0, bottom, corner};
        places.clear();
        for (int64_t line = first; line < end; ++line)
            for (int64_t x = 0; x < wide; ++x) {
                const int kind = 2 * sticks_out(shape, line) + (edge && x == wide - 1);
                places.push_back(int32_t(next[kind]++));
            }
        for (int point = 0; point < POINTS; ++point) {
            const bool last_row = point / SIDE == SIDE - 1, last_column = point % SIDE == SIDE - 1;
            from[point] = (last_column ? inner : 0) / unit * unit;
            to[point] = parts(last_row ? bottom : last_column ? corner : count, unit) * unit;
        }
    }

    static bool sticks_out(const Shape &shape, int64_t line) {
        return shape.out_height() % TILE && line % shape.high() == shape.high() - 1;
    }
};

// Memory that will be asked for, fetched in equal shares beside a number of calls.
struct Ahead {
    const char *next, *end;
    int64_t share;

    // The part of the maps below the lines of tiles from `first` to `last`.
    Ahead(Stack maps, const Shape &shape, int64_t first, int64_t last, int64_t calls) {
        const auto start = [&](int64_t line) {
            line = std::min(line, shape.lines());
            const int64_t y = std::min(TILE * (line % shape.high()), maps.height);
            const int64_t row = line / shape.high() * maps.height + y;
            return reinterpret_cast<const char *>(maps.values + row * maps.row);
        };
        next = start(first), end = start(last);
        share = parts(end - next, 64 * calls);
    }
    template <bool WRITTEN> inline void fetch() {
        for (int64_t i = 0; i < share && next < end; ++i, next += 64)
            WRITTEN ? __builtin_prefetch(next, 1) : __builtin_prefetch(next, 0, 2);
    }
};

// --- From pixels and taps to points, and from sums of products to results ------------------------

struct Column {  // The points of an axis, or what becomes them, of one channel in each lane.
    Floats at[SIDE];
};

struct Points {
    Floats at[POINTS];
};

inline Column points_of_pixels(const Column &d) {
    const Floats a = d.at[1] - d.at[3], b = d.at[2] - d.at[4];
    return {{d.at[0] - 2 * d.at[2] + d.at[4] - 1.5f * a,
             d.at[2] + 5 * d.at[3] - 2 * (d.at[1] - d.at[4]),
             5 * d.at[2] - d.at[3] - 2 * (d.at[1] + d.at[4]), 2 * a + b, a - 2 * b,
             d.at[1] - 2 * d.at[3] + d.at[5] - 1.5f * b}};
}

inline Column points_of_taps(Floats a, Floats b, Floats c) {
    return {{a, (a + c + b) * (1 / 6.f), (a + c - b) * (1 / 6.f), (4 * a + 2 * b + c) * (4 / 15.f),
             (a - 2 * b + 4 * c) * (1 / 30.f), c}};
}

inline Column points_of_slopes(const Floats s[TILE]) {
    const Floats even = s[0] + s[2], odd = s[1] + s[3];
    return {{s[0], even + odd, even - odd,
             s[0] + 0.5f * s[1] + 0.25f * s[2] + 0.125f * s[3],
             s[0] - 2 * s[1] + 4 * s[2] - 8 * s[3], s[3]}};
}

inline void results_of_products(const Column &m, Floats results[TILE]) {
    const Floats even = m.at[1] + m.at[2], odd = m.at[1] - m.at[2];
    results[0] = m.at[0] + even + m.at[3] + m.at[4];
    results[1] = odd + 0.5f * m.at[3] - 2 * m.at[4];
    results[2] = even + 0.25f * m.at[3] + 4 * m.at[4];
    results[3] = odd + 0.125f * m.at[3] - 8 * m.at[4] + m.at[5];
}

inline void taps_of_products(const Column &m, Floats taps[3]) {
    const Floats even = (m.at[1] + m.at[2]) * (1 / 6.f), odd = (m.at[1] - m.at[2]) * (1 / 6.f);
    taps[0] = m.at[0] + even + (16 / 15.f) * m.at[3] + (1 / 30.f) * m.at[4];
    taps[1] = odd + (8 / 15.f) * m.at[3] - (1 / 15.f) * m.at[4];
    taps[2] = even + (4 / 15.f) * m.at[3] + (2 / 15.f) * m.at[4] + m.at[5];
}

// The points of both axes; `across` gives those of a row of what the other axis has become.
template <class Across> inline Points points_of_rows(Across across) {
    Points points;
#pragma GCC unroll 6
    for (int i = 0; i < SIDE; ++i) {
        const Column row = across(i);
#pragma GCC unroll 6
        for (int j = 0; j < SIDE; ++j) points.at[SIDE * i + j] = row.at[j];
    }
    return points;
}

inline Points points_of_taps(const Floats taps[9]) {
    Column down[3];
    for (int x = 0; x < 3; ++x) down[x] = points_of_taps(taps[x], taps[3 + x], taps[6 + x]);
    return points_of_rows(
        [&](int i) { return points_of_taps(down[0].at[i], down[1].at[i], down[2].at[i]); });
}

inline Column row_of(const Column columns[SIDE], int row) {
    Column found;
#pragma GCC unroll 6
    for (int j = 0; j < SIDE; ++j) found.at[j] = columns[j].at[row];
    return found;
}

// The rows of pixels below a line of tiles; a row outside is one of zeros.
struct Rows {
    const bf16 *at[SIDE];

    Rows(const bf16 *in, const Shape &shape, int64_t line, const bf16 *zeros) {
        const int64_t image = line / shape.high(), top = TILE * (line % shape.high()) - shape.padding;
        for (int64_t i = 0; i < SIDE; ++i) {
            const bool inside = top + i >= 0 && top + i < shape.height;
            const int64_t row = image * shape.height + top + i;
            at[i] = inside ? in + row * shape.width * shape.channels : zeros;
        }
    }
    template <int lanes> inline Column column(const Shape &shape, int64_t x, int64_t c) const {
        if (x < 0 || x >= shape.width) return Column{};
        const int64_t offset = x * shape.channels + c;
        Column pixels;
#pragma GCC unroll 6
        for (int i = 0; i < SIDE; ++i) pixels.at[i] = load(at[i] + offset, lanes);
        return points_of_pixels(pixels);
    }
};

// points: each of them, for each tile of the block, all channels.
inline void take_pixels(const bf16 *in, const Shape &shape, const Block &block, const bf16 *zeros,
                        bf16 *points, int64_t row, int64_t step) {
    for (int64_t line = 0; line < block.lines; ++line) {
        const Rows rows(in, shape, block.first + line, zeros);
        const int32_t *place = &block.places[line * shape.wide()];
        each_vector(0, shape.channels, [&](int64_t channel, auto lanes) {
            constexpr int count = decltype(lanes)::value;
            const auto column = [&](int64_t x) {
                return rows.template column<count>(shape, x - shape.padding, channel);
            };
            Column columns[SIDE];
            columns[TILE] = column(0), columns[TILE + 1] = column(1);
            for (int64_t x = 0; x < shape.wide(); ++x) {
                columns[0] = columns[TILE], columns[1] = columns[TILE + 1];  // Of two tiles.
#pragma GCC unroll 6
                for (int j = 2; j < SIDE; ++j) columns[j] = column(TILE * x + j);
                bf16 *to = points + place[x] * row + channel;
#pragma GCC unroll 6
                for (int i = 0; i < SIDE; ++i) {
                    const Column across = points_of_pixels(row_of(columns, i));
#pragma GCC unroll 6
                    for (int j = 0; j < SIDE; ++j)
                        narrow(to + (SIDE * i + j) * step, across.at[j], lanes);
                }
            }
        });
    }
}

// sums: of each point, for each tile of the block, the columns of one panel.
template <bool RELU>
void put_results(const float *sums, int64_t step, const Shape &shape, const Block &block,
                 int64_t panel, const float *bias, bf16 *out) {
    const int64_t below = shape.out_width() * shape.outputs, start = panel * COLUMNS;
    for (int64_t line = 0; line < block.lines; ++line) {
        const int64_t whole = block.first + line, y = TILE * (whole % shape.high());
        const int rows = int(std::min<int64_t>(TILE, shape.out_height() - y));
        const int32_t *place = &block.places[line * shape.wide()];
        bf16 *above = out + (whole / shape.high() * shape.out_height() + y) * below;
        const int64_t end = std::min(start + COLUMNS, shape.outputs);
        each_vector(start, end, [&](int64_t channel, auto lanes) {
            const Floats shift = bias ? load(bias + channel, lanes) : all(0);
            const auto put = [&](bf16 *to, Floats value) {
                value += shift;
                narrow(to, RELU ? (value < 0 ? all(0) : value) : value, lanes);
            };
            for (int64_t x = 0; x < shape.wide(); ++x) {
                const float *from = sums + place[x] * COLUMNS + channel - start;
                const int columns = int(std::min<int64_t>(TILE, shape.out_width() - TILE * x));
                Floats down[SIDE][TILE];
#pragma GCC unroll 6
                for (int j = 0; j < SIDE; ++j) {  // Of tiles that stick out, no last point was made.
                    Column products{};
                    if (j < SIDE - 1 || columns == TILE) {
#pragma GCC unroll 6
                        for (int i = 0; i < SIDE; ++i)
                            if (i < SIDE - 1 || rows == TILE)
                                products.at[i] = load(from + (SIDE * i + j) * step, LANES);
                    }
                    results_of_products(products, down[j]);
                }
                bf16 *to = above + TILE * x * shape.outputs + channel;
                for (int row = 0; row < rows; ++row, to += below) {
                    Column products;
                    Floats results[TILE];
                    for (int j = 0; j < SIDE; ++j) products.at[j] = down[j][row];
                    results_of_products(products, results);
                    for (int column = 0; column < columns; ++column)
                        put(to + column * shape.outputs, results[column]);
                }
            }
        });
    }
}

// --- Weights -------------------------------------------------------------------------------------
//
// (outputs, 3, 3, channels) in memory. Packed: for each point and panel of COLUMNS output channels,
// for each pair of input channels, a pair for each column.

inline void pack_vector(const float *weight, int64_t channels, int64_t column, int64_t channel,
                        int lanes, bf16 *to, int64_t step) {
    Floats taps[9];
    for (int tap = 0; tap < 9; ++tap) taps[tap] = load(weight + tap * channels + channel, lanes);
    const Points points = points_of_taps(taps);
    for (int point = 0; point < POINTS; ++point) {
        bf16 halves[LANES];
        narrow(halves, points.at[point], LANES);
        bf16 *pair = to + point * step + channel * COLUMNS + 2 * column;
        for (int lane = 0; lane < lanes; lane += 2, pair += 2 * COLUMNS)
            std::memcpy(pair, halves + lane, 2 * sizeof(bf16));
    }
}

inline void pack(const float *weight, const Shape &shape, bf16 *packed, int threads) {
    const int64_t panels = parts(shape.outputs, COLUMNS), size = shape.channels * COLUMNS;
#pragma omp parallel for num_threads(threads)
    for (int64_t panel = 0; panel < panels; ++panel) {
        const int64_t end = std::min((panel + 1) * COLUMNS, shape.outputs);
        for (int64_t output = panel * COLUMNS; output < end; ++output)
            each_vector(0, shape.channels, [&](int64_t channel, int lanes) {
                pack_vector(weight + output * 9 * shape.channels, shape.channels, output % COLUMNS,
                            channel, lanes, packed + panel * size, panels * size);
            });
    }
}

// For the way back: the taps turned by 180 degrees, and the channels exchanged. `shape` is the
// one of the way back, so that its outputs are what lies together in memory.
inline void pack_turned(const float *weight, const Shape &shape, bf16 *packed, int threads) {
    const int64_t panels = parts(shape.outputs, COLUMNS), size = shape.channels * COLUMNS;
#pragma omp parallel for num_threads(threads)
    for (int64_t channel = 0; channel < shape.channels; channel += 2)
        each_vector(0, shape.outputs, [&](int64_t output, int lanes) {
            Points points[2];
            for (int64_t k = 0; k < 2; ++k) {
                Floats taps[9];
                const float *last = weight + ((channel + k) * 9 + 8) * shape.outputs + output;
                for (int64_t tap = 0; tap < 9; ++tap)
                    taps[tap] = load(last - tap * shape.outputs, lanes);
                points[k] = points_of_taps(taps);
            }
            const int64_t panel = output / COLUMNS, column = output % COLUMNS;
            bf16 *to = packed + panel * size + channel * COLUMNS + 2 * column;
            for (int point = 0; point < POINTS; ++point, to += panels * size)
                _mm512_storeu_si512(to, paired(points[0].at[point], points[1].at[point]));
        });
}

// --- The convolution -----------------------------------------------------------------------------

// sums (COUNT, COLUMNS) = sum + the products of COUNT rows of factors with a panel of columns, both in
// pairs; from one row of factors to the next are `to_row` numbers, from one pair to the next `to_pair`.
template <int COUNT>
inline __attribute__((always_inline)) void add_pairs(const bf16 *factors, int64_t to_row,
                                                     int64_t to_pair, const bf16 *columns,
                                                     int64_t pairs, __m512 (&sum)[COUNT][2],
                                                     float *sums) {
    for (int64_t pair = 0; pair < pairs; ++pair) {
        const __m512bh left = (__m512bh)_mm512_loadu_si512(columns + pair * 2 * COLUMNS);
        const __m512bh right = (__m512bh)_mm512_loadu_si512(columns + pair * 2 * COLUMNS + COLUMNS);
#pragma GCC unroll 16
        for (int row = 0; row < COUNT; ++row) {
            int32_t both;
            std::memcpy(&both, factors + row * to_row + pair * to_pair, sizeof both);
            const __m512bh factor = (__m512bh)_mm512_set1_epi32(both);
            sum[row][0] = _mm512_dpbf16_ps(sum[row][0], factor, left);
            sum[row][1] = _mm512_dpbf16_ps(sum[row][1], factor, right);
        }
    }
#pragma GCC unroll 16
    for (int row = 0; row < COUNT; ++row) {
        _mm512_storeu_ps(sums + row * COLUMNS, sum[row][0]);
        _mm512_storeu_ps(sums + row * COLUMNS + LANES, sum[row][1]);
    }
}

// sums (tiles, COLUMNS) = points (tiles, channels) times one panel of packed weights.
template <int TILES_AT_ONCE>
void multiply(const bf16 *points, int64_t row, const bf16 *packed, int64_t pairs, float *sums) {
    __m512 sum[TILES_AT_ONCE][2] = {};
    add_pairs<TILES_AT_ONCE>(points, row, 2, packed, pairs, sum, sums);
}

constexpr decltype(&multiply<1>) MULTIPLY[] = {
    nullptr,     multiply<1>, multiply<2>, multiply<3>,  multiply<4>,  multiply<5>, multiply<6>,
    multiply<7>, multiply<8>, multiply<9>, multiply<10>, multiply<11>, multiply<12>};
constexpr int64_t MOST_TILES = 12;  // As many sums as the registers hold.

void convolve(const bf16 *in, const bf16 *packed, const float *bias, bool relu, bf16 *out,
              const Shape &shape, int threads) {
    const Cut cut(shape.lines(), TILES / shape.wide(), threads);
    const int64_t panels = parts(shape.outputs, COLUMNS), most = cut.each * shape.wide();
    const int64_t row = parts(shape.channels, ALIGNED) * ALIGNED;
    // Not a whole number of pages: all points of a tile would fight for the same places in a cache.
    const int64_t step = most * row + COLUMNS, sum_step = most * COLUMNS + LANES;
    const Buffer<bf16> all_points(threads * POINTS * step);
    const Buffer<float> all_sums(threads * POINTS * sum_step);
    const std::vector<bf16> zeros(shape.width * shape.channels);
    const auto put = relu ? put_results<true> : put_results<false>;
#pragma omp parallel num_threads(threads)
    {
        bf16 *points = all_points.data() + omp_get_thread_num() * POINTS * step;
        float *sums = all_sums.data() + omp_get_thread_num() * POINTS * sum_step;
        Block block;
#pragma omp for schedule(static)
        for (int64_t number = 0; number < cut.blocks; ++number) {
            block.set(shape, cut.first(number), cut.count(number), 1);
            take_pixels(in, shape, block, zeros.data(), points, row, step);
            const int64_t end = block.first + block.lines;
            const int64_t calls = POINTS * parts(block.count, MOST_TILES);
            Ahead pixels(shape.pixels(in), shape, end, end + cut.each, calls * panels);
            Ahead results(shape.results(out), shape, block.first, end, calls);
            for (int64_t panel = 0; panel < panels; ++panel) {
                for (int point = 0; point < POINTS; ++point) {
                    const int64_t place = (point * panels + panel) * shape.channels * COLUMNS;
                    int64_t tile = block.from[point];
                    int64_t left = parts(block.to[point] - tile, MOST_TILES);
                    for (; left > 0; --left) {
                        const int64_t some = parts(block.to[point] - tile, left);
                        pixels.fetch<false>();
                        results.fetch<true>();
                        MULTIPLY[some](points + point * step + tile * row, row, packed + place,
                                       shape.channels / 2,
                                       sums + point * sum_step + tile * COLUMNS);
                        tile += some;
                    }
                }
                put(sums, sum_step, shape, block, panel, bias, out);
            }
        }
    }
}

// --- The slopes of the weights -------------------------------------------------------------------

// Where the tile at each place of a block is.
struct Tile {
    int64_t line, x;
};

template <int lanes>
inline Points points_of_slopes(const bf16 *slopes, const Shape &shape, Tile tile, int64_t channel) {
    const int64_t y = TILE * (tile.line % shape.high()), x = TILE * tile.x;
    const int64_t above = tile.line / shape.high() * shape.out_height() + y;
    const bf16 *at = slopes + (above * shape.out_width() + x) * shape.outputs + channel;
    const int64_t rows = shape.out_height() - y, columns = shape.out_width() - x;
    Column down[TILE];
#pragma GCC unroll 4
    for (int j = 0; j < TILE; ++j) {
        Floats column[TILE];
#pragma GCC unroll 4
        for (int i = 0; i < TILE; ++i) {
            const bool inside = i < rows && j < columns;
            const int64_t offset = (i * shape.out_width() + j) * shape.outputs;
            column[i] = inside ? load(at + offset, lanes) : all(0);
        }
        down[j] = points_of_slopes(column);
    }
    return points_of_rows([&](int i) {
        const Floats row[TILE] = {down[0].at[i], down[1].at[i], down[2].at[i], down[3].at[i]};
        return points_of_slopes(row);
    });
}

template <int lanes>
inline Points points_below(const Rows &rows, const Shape &shape, int64_t x, int64_t channel) {
    Column columns[SIDE];
#pragma GCC unroll 6
    for (int j = 0; j < SIDE; ++j)
        columns[j] = rows.column<lanes>(shape, TILE * x - shape.padding + j, channel);
    return points_of_rows([&](int i) { return points_of_pixels(row_of(columns, i)); });
}

// sums (ROWS, COLUMNS) += the products of a panel of pixels' points with one of slopes' points.
inline void add_products(const bf16 *pixels, const bf16 *slopes, int64_t pairs, float *sums) {
    __m512 sum[ROWS][2];
#pragma GCC unroll 8
    for (int row = 0; row < ROWS; ++row) {
        sum[row][0] = _mm512_loadu_ps(sums + row * COLUMNS);
        sum[row][1] = _mm512_loadu_ps(sums + row * COLUMNS + LANES);
    }
    add_pairs<ROWS>(pixels, 2, 2 * ROWS, slopes, pairs, sum, sums);
}

// What one thread has of the slopes: of the weights' points, for each panel of columns and of rows,
// and of the bias.
struct Slopes {
    int64_t row_panels, column_panels, count;
    Buffer<float> sums;
    std::vector<double> bias;

    explicit Slopes(const Shape &shape)
        : row_panels(parts(shape.channels, ROWS)), column_panels(parts(shape.outputs, COLUMNS)),
          count(POINTS * row_panels * column_panels * ROWS * COLUMNS), sums(count),
          bias(column_panels * COLUMNS) {}

    float *panel(int point, int64_t columns, int64_t rows) const {
        const int64_t number = (point * column_panels + columns) * row_panels + rows;
        return sums.data() + number * ROWS * COLUMNS;
    }
};

// The points of all tiles of a block, in pairs of tiles: for each point and each panel of channels,
// for each pair of tiles, a pair for each channel.
struct PairedPoints {
    const Shape &shape;
    int64_t pixel_step, slope_step;
    Buffer<bf16> pixels, slopes;
    std::vector<Tile> tiles;
    std::vector<float> bias;

    PairedPoints(const Shape &shape, const Slopes &found, int64_t most)
        : shape(shape), pixel_step(found.row_panels * 2 * ROWS * most + COLUMNS),
          slope_step(found.column_panels * 2 * COLUMNS * most + COLUMNS),
          pixels(POINTS * pixel_step), slopes(POINTS * slope_step) {}

    void take(const bf16 *in, const bf16 *gradient, const Block &block, const bf16 *zeros,
              double *totals) {
        tiles.resize(block.count);
        for (int64_t tile = 0; tile < block.count; ++tile)
            tiles[block.places[tile]] = {block.first + tile / shape.wide(), tile % shape.wide()};
        bias.assign(parts(shape.outputs, COLUMNS) * COLUMNS, 0.0f);
        const int64_t pairs = parts(block.count, 2);
        for (int64_t pair = 0; pair < pairs; ++pair) {
            const bool two = 2 * pair + 1 < block.count;
            const Tile first = tiles[2 * pair], second = tiles[2 * pair + two];
            take_pixels(in, first, second, two, zeros, pair, pairs);
            take_slopes(gradient, first, second, two, pair, pairs);
        }
        for (int64_t output = 0; output < shape.outputs; ++output) totals[output] += bias[output];
    }

  private:
    void take_pixels(const bf16 *in, Tile first, Tile second, bool two, const bf16 *zeros,
                     int64_t pair, int64_t pairs) {
        const Rows above(in, shape, first.line, zeros), other(in, shape, second.line, zeros);
        each_vector(0, shape.channels, [&](int64_t channel, auto lanes) {
            const Points one = points_below<lanes>(above, shape, first.x, channel);
            Points next{};
            if (two) next = points_below<lanes>(other, shape, second.x, channel);
            bf16 *to = pixels.data() + (channel / ROWS * pairs + pair) * 2 * ROWS;
            for (int point = 0; point < POINTS; ++point, to += pixel_step) {
                const Pairs both = paired(one.at[point], next.at[point]);
                const __m256i low = _mm512_castsi512_si256(both);
                const __m256i high = _mm512_extracti64x4_epi64(both, 1);
                std::memcpy(to, &low, sizeof low);
                if (lanes == LANES) std::memcpy(to + pairs * 2 * ROWS, &high, sizeof high);
            }
        });
    }

    void take_slopes(const bf16 *gradient, Tile first, Tile second, bool two, int64_t pair,
                     int64_t pairs) {
        each_vector(0, shape.outputs, [&](int64_t channel, auto lanes) {
            const Points one = points_of_slopes<lanes>(gradient, shape, first, channel);
            Points next{};
            if (two) next = points_of_slopes<lanes>(gradient, shape, second, channel);
            const Floats sum = one.at[ALL] + next.at[ALL];
            store(&bias[channel], load(&bias[channel], LANES) + sum, LANES);
            const int64_t place = (channel / COLUMNS * pairs + pair) * COLUMNS + channel % COLUMNS;
            bf16 *to = slopes.data() + 2 * place;
            for (int point = 0; point < POINTS; ++point, to += slope_step)
                _mm512_storeu_si512(to, paired(one.at[point], next.at[point]));
        });
    }
};

// The weights' slopes of one panel: the sums of all threads, in their order, turned into taps.
inline void put_slopes(const std::vector<Slopes> &found, const Shape &shape, int64_t columns,
                       int64_t rows, float *weight) {
    float turned[COLUMNS][9][ROWS];
    for (int row = 0; row < ROWS; ++row)
        for (int column = 0; column < COLUMNS; column += LANES) {
            Floats down[SIDE][3], taps[3][3];
            for (int j = 0; j < SIDE; ++j) {
                Column sum{};
                for (int i = 0; i < SIDE; ++i) {
                    const int64_t place = row * COLUMNS + column;
                    for (const Slopes &part : found)
                        sum.at[i] += load(part.panel(SIDE * i + j, columns, rows) + place, LANES);
                }
                taps_of_products(sum, down[j]);
            }
            for (int y = 0; y < 3; ++y) {
                Column across;
                for (int j = 0; j < SIDE; ++j) across.at[j] = down[j][y];
                taps_of_products(across, taps[y]);
                for (int x = 0; x < 3; ++x)
                    for (int lane = 0; lane < LANES; ++lane)
                        turned[column + lane][3 * y + x][row] = taps[y][x][lane];
            }
        }
    const int64_t end = std::min<int64_t>(COLUMNS, shape.outputs - columns * COLUMNS);
    for (int64_t column = 0; column < end; ++column)
        for (int64_t tap = 0; tap < 9; ++tap) {
            const int64_t output = columns * COLUMNS + column;
            float *to = weight + (output * 9 + tap) * shape.channels + rows * ROWS;
            std::memcpy(to, turned[column][tap], sizeof turned[column][tap]);
        }
}

void find_slopes(const bf16 *in, const bf16 *gradient, float *weight, float *bias,
                 const Shape &shape, int threads) {
    const Cut cut(shape.lines(), WEIGHT_TILES / shape.wide(), threads);
    std::vector<Slopes> found;
    for (int thread = 0; thread < threads; ++thread) found.emplace_back(shape);
    const std::vector<bf16> zeros(shape.width * shape.channels);
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (int part = 0; part < threads; ++part)  // Also of threads that were not to be had.
            std::fill_n(found[part].sums.data(), found[part].count, 0.0f);
        Slopes &own = found[omp_get_thread_num()];
        PairedPoints points(shape, own, parts(cut.each * shape.wide(), 2));
        Block block;
#pragma omp for schedule(static)
        for (int64_t number = 0; number < cut.blocks; ++number) {
            block.set(shape, cut.first(number), cut.count(number), 2);
            points.take(in, gradient, block, zeros.data(), own.bias.data());
            const int64_t pairs = parts(block.count, 2), end = block.first + block.lines;
            const int64_t calls = POINTS * own.row_panels * own.column_panels;
            Ahead pixels(shape.pixels(in), shape, end, end + cut.each, calls);
            Ahead slopes(shape.results(gradient), shape, end, end + cut.each, calls);
            for (int point = 0; point < POINTS; ++point) {
                const int64_t first = block.from[point] / 2, some = block.to[point] / 2 - first;
                for (int64_t columns = 0; columns < own.column_panels; ++columns) {
                    const bf16 *right = points.slopes.data() + point * points.slope_step +
                                        (columns * pairs + first) * 2 * COLUMNS;
                    for (int64_t rows = 0; rows < own.row_panels; ++rows) {
                        pixels.fetch<false>();
                        slopes.fetch<false>();
                        const bf16 *left = points.pixels.data() + point * points.pixel_step +
                                           (rows * pairs + first) * 2 * ROWS;
                        add_products(left, right, some, own.panel(point, columns, rows));
                    }
                }
            }
        }
#pragma omp for schedule(static)
        for (int64_t columns = 0; columns < own.column_panels; ++columns)
            for (int64_t rows = 0; rows < own.row_panels; ++rows)
                put_slopes(found, shape, columns, rows, weight);
    }
    if (bias) convolution::put_bias(found, shape.outputs, bias);
}

inline int64_t packed_size(const Shape &shape) {
    return POINTS * parts(shape.outputs, COLUMNS) * COLUMNS * shape.channels;
}

inline bool allowed() { return true; }

}  // namespace winograd
}  // namespace
