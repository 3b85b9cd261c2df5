// 3x3 convolutions of stride 1 by Winograd's F(2x2, 3x3), in bfloat16.
//
// A tile of 2x2 results needs 16 multiplications for each input and output channel instead of 36:
// the 4x4 pixels below it and the 3x3 taps become 16 points each, which are multiplied point by
// point, summed over the channels in float32 and turned into results. On each axis, with
// pixels d, taps g, products m and slopes s (the gradients of the results):
//
//   points of pixels  d0 - d2, d1 + d2, d2 - d1, d1 - d3
//   points of taps    g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2
//   results           m0 + m1 + m2, m1 - m2 - m3
//   points of slopes  s0, s0 + s1, s0 - s1, -s1
//   slopes of taps    m0 + (m1 + m2) / 2, (m1 - m2) / 2, (m1 + m2) / 2 + m3
//
// Source: Lavin and Gray 2015, "Fast algorithms for convolutional neural networks",
// arXiv:1509.09308.
//
// Some lines of tiles are done at a time, so that their points stay in the processor's cache, and
// what the next block reads is fetched from memory while this one multiplies. The products are
// written here, with the processor's instruction for pairs of bfloat16: a library's would want
// points and products in memory, where they take more time than the multiplications saved.
// Where that instruction is missing, so are these functions; and where there are units for whole
// matrices (AMX), which only the library uses and which are faster than either.

#pragma once

#if defined(__AVX512BF16__) && !defined(__AMX_BF16__)

#include <algorithm>
#include <cstdlib>
#include <immintrin.h>
#include <memory>
#include <type_traits>
#include <vector>

#include "vectors.h"

namespace {
namespace winograd {

constexpr int POINTS = 16;
constexpr int ROWS = LANES / 2;        // Channels of a panel of pixels; all are multiples of it.
constexpr int COLUMNS = 2 * LANES;     // Output channels of a panel of weights or slopes.
constexpr int64_t TILES = 96;          // Of a block of the convolution,
constexpr int64_t WEIGHT_TILES = 256;  // and of the slopes of the weights; both measured.
constexpr int64_t ALIGNED = 32;        // Channels that fill a line of the cache.

typedef __m512i Pairs;  // Sixteen pairs of bfloat16.

struct Stack {  // Maps of images, one below the other.
    const bf16 *values;
    int64_t height, row;  // Rows of one, and values of a row.
};

struct Shape {
    int64_t images, height, width, padding, channels, outputs;

    int64_t out_height() const { return height + 2 * padding - 2; }
    int64_t out_width() const { return width + 2 * padding - 2; }
    int64_t high() const { return (out_height() + 1) / 2; }  // Tiles on each other,
    int64_t wide() const { return (out_width() + 1) / 2; }   // and beside each other.
    int64_t lines() const { return images * high(); }
    int64_t elements() const { return images * height * width * std::max(channels, outputs); }

    Stack pixels(const bf16 *in) const { return {in, height, width * channels}; }
    Stack results(const bf16 *out) const { return {out, out_height(), out_width() * outputs}; }

    Shape back() const {  // Of the convolution that leads the results' gradient to the pixels.
        return {images, out_height(), out_width(), 2 - padding, outputs, channels};
    }
};

inline int64_t parts(int64_t whole, int64_t part) { return (whole + part - 1) / part; }

template <class T> struct Buffer {  // Not set to 0, and at the start of a line of the cache.
    struct Free {
        void operator()(T *from) const { std::free(from); }
    };
    std::unique_ptr<T[], Free> values;

    explicit Buffer(int64_t count)
        : values(static_cast<T *>(std::aligned_alloc(64, parts(count * sizeof(T), 64) * 64))) {}
    T *data() const { return values.get(); }
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
    alignas(64) static constexpr uint16_t order[2 * LANES] = {
        0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const Pairs halves = (Pairs)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
    return _mm512_permutexvar_epi16(_mm512_load_si512(order), halves);
}

// --- Tiles, and blocks of them -------------------------------------------------------------------

// Some lines of tiles. At an odd edge tiles stick out; what their last point of that axis would add
// is not asked for (or is 0). They are placed first and last, so that the tiles of which a point is
// asked for always stand behind one another.
struct Block {
    int64_t first, lines, count;
    std::vector<int32_t> places;       // Of each tile, line by line.
    int64_t from[POINTS], to[POINTS];  // The places where a point is asked for.

    // `unit`: what `from` and `to` shall be multiples of.
    void set(const Shape &shape, int64_t first_line, int64_t line_count, int64_t unit) {
        first = first_line, lines = line_count, count = lines * shape.wide();
        const int64_t wide = shape.wide(), edge = shape.out_width() % 2, end = first + lines;
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
            const bool last_row = point / 4 == 3, last_column = point % 4 == 3;
            from[point] = (last_column ? inner : 0) / unit * unit;
            to[point] = parts(last_row ? bottom : last_column ? corner : count, unit) * unit;
        }
    }

    static bool sticks_out(const Shape &shape, int64_t line) {
        return shape.out_height() % 2 && line % shape.high() == shape.high() - 1;
    }
};

// How the lines of tiles are cut into blocks, as many for each thread.
struct Cut {
    int64_t blocks, lines;

    Cut(const Shape &shape, int64_t tiles, int threads) {
        const int64_t most = std::max<int64_t>(1, tiles / shape.wide());
        const int64_t wanted = parts(parts(shape.lines(), most), threads) * threads;
        lines = parts(shape.lines(), wanted);
        blocks = parts(shape.lines(), lines);
    }
    void set(Block &block, const Shape &shape, int64_t number, int64_t unit) const {
        const int64_t first = number * lines;
        block.set(shape, first, std::min(lines, shape.lines() - first), unit);
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
            const int64_t y = std::min(2 * (line % shape.high()), maps.height);
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

struct Column {  // The four points of an axis, of one channel in each lane.
    Floats at[4];
};

struct Points {
    Floats at[POINTS];
};

inline Column points_of_pixels(Floats a, Floats b, Floats c, Floats d) {
    return {{a - c, b + c, c - b, b - d}};
}

inline Column points_of_taps(Floats a, Floats b, Floats c) {
    return {{a, 0.5f * (a + c + b), 0.5f * (a + c - b), c}};
}

inline Points points_of_taps(const Floats taps[9]) {
    Column down[3];
    for (int x = 0; x < 3; ++x) down[x] = points_of_taps(taps[x], taps[3 + x], taps[6 + x]);
    Points points;
    for (int i = 0; i < 4; ++i) {
        const Column across = points_of_taps(down[0].at[i], down[1].at[i], down[2].at[i]);
        for (int j = 0; j < 4; ++j) points.at[4 * i + j] = across.at[j];
    }
    return points;
}

// The four rows of pixels below a line of tiles; a row outside is one of zeros.
struct Rows {
    const bf16 *at[4];

    Rows(const bf16 *in, const Shape &shape, int64_t line, const bf16 *zeros) {
        const int64_t image = line / shape.high(), top = 2 * (line % shape.high()) - shape.padding;
        for (int64_t i = 0; i < 4; ++i) {
            const bool inside = top + i >= 0 && top + i < shape.height;
            const int64_t row = image * shape.height + top + i;
            at[i] = inside ? in + row * shape.width * shape.channels : zeros;
        }
    }
    template <int lanes> inline Column column(const Shape &shape, int64_t x, int64_t c) const {
        if (x < 0 || x >= shape.width) return Column{};
        const int64_t offset = x * shape.channels + c;
        return points_of_pixels(load(at[0] + offset, lanes), load(at[1] + offset, lanes),
                                load(at[2] + offset, lanes), load(at[3] + offset, lanes));
    }
};

// points: of each of the 16, for each tile of the block, all channels.
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
            Column a = column(0), b = column(1);  // Two columns belong to the next tile too.
            for (int64_t x = 0; x < shape.wide(); ++x) {
                const Column c = column(2 * x + 2), d = column(2 * x + 3);
                bf16 *to = points + place[x] * row + channel;
#pragma GCC unroll 4
                for (int i = 0; i < 4; ++i) {
                    const Column across = points_of_pixels(a.at[i], b.at[i], c.at[i], d.at[i]);
#pragma GCC unroll 4
                    for (int j = 0; j < 4; ++j)
                        narrow(to + (4 * i + j) * step, across.at[j], lanes);
                }
                a = c, b = d;
            }
        });
    }
}

// sums: of each of the 16 points, for each tile of the block, the columns of one panel.
template <bool RELU>
void put_results(const float *sums, int64_t step, const Shape &shape, const Block &block,
                 int64_t panel, const float *bias, bf16 *out) {
    const int64_t below = shape.out_width() * shape.outputs, start = panel * COLUMNS;
    for (int64_t line = 0; line < block.lines; ++line) {
        const int64_t whole = block.first + line, y = 2 * (whole % shape.high());
        const bool two_rows = y + 1 < shape.out_height();
        const int32_t *place = &block.places[line * shape.wide()];
        bf16 *row = out + (whole / shape.high() * shape.out_height() + y) * below;
        const int64_t end = std::min(start + COLUMNS, shape.outputs);
        each_vector(start, end, [&](int64_t channel, auto lanes) {
            const Floats shift = bias ? load(bias + channel, lanes) : all(0);
            const auto put = [&](bf16 *to, Floats value) {
                value += shift;
                narrow(to, RELU ? (value < 0 ? all(0) : value) : value, lanes);
            };
            for (int64_t x = 0; x < shape.wide(); ++x) {
                const float *from = sums + place[x] * COLUMNS + channel - start;
                const bool two_columns = 2 * x + 1 < shape.out_width();
                Floats top[4] = {}, low[4] = {};
                for (int j = 0; j < 3 + two_columns; ++j) {
                    const auto sum = [&](int i) { return load(from + (4 * i + j) * step, LANES); };
                    const Floats second = sum(1), third = sum(2);
                    top[j] = sum(0) + (second + third);
                    if (two_rows) low[j] = (second - third) - sum(3);
                }
                bf16 *to = row + 2 * x * shape.outputs + channel;
                put(to, top[0] + (top[1] + top[2]));
                if (two_columns) put(to + shape.outputs, (top[1] - top[2]) - top[3]);
                if (two_rows) put(to + below, low[0] + (low[1] + low[2]));
                if (two_rows && two_columns)
                    put(to + below + shape.outputs, (low[1] - low[2]) - low[3]);
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
    const Cut cut(shape, TILES, threads);
    const int64_t panels = parts(shape.outputs, COLUMNS), most = cut.lines * shape.wide();
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
            cut.set(block, shape, number, 1);
            take_pixels(in, shape, block, zeros.data(), points, row, step);
            const int64_t end = block.first + block.lines;
            const int64_t calls = POINTS * parts(block.count, MOST_TILES);
            Ahead pixels(shape.pixels(in), shape, end, end + cut.lines, calls * panels);
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

// The points of the slopes of a tile, but for the signs of the last row and the last column.
template <int lanes>
inline Points points_of_slopes(const bf16 *slopes, const Shape &shape, Tile tile, int64_t channel) {
    const int64_t y = 2 * (tile.line % shape.high()), x = 2 * tile.x;
    const int64_t row = tile.line / shape.high() * shape.out_height() + y, right = shape.outputs;
    const int64_t below = shape.out_width() * shape.outputs;
    const bool two_columns = x + 1 < shape.out_width(), two_rows = y + 1 < shape.out_height();
    const bf16 *at = slopes + row * below + x * right + channel;
    const Floats a = load(at, lanes), b = two_columns ? load(at + right, lanes) : all(0);
    const Floats c = two_rows ? load(at + below, lanes) : all(0);
    const Floats d = two_rows && two_columns ? load(at + below + right, lanes) : all(0);
    const Floats first[4] = {a, a + c, a - c, c}, second[4] = {b, b + d, b - d, d};
    Points points;
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        points.at[4 * i] = first[i];
        points.at[4 * i + 1] = first[i] + second[i];
        points.at[4 * i + 2] = first[i] - second[i];
        points.at[4 * i + 3] = second[i];
    }
    return points;
}

template <int lanes>
inline Points points_below(const Rows &rows, const Shape &shape, int64_t x, int64_t channel) {
    Column column[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j)
        column[j] = rows.column<lanes>(shape, 2 * x - shape.padding + j, channel);
    Points points;
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        const Column across = points_of_pixels(column[0].at[i], column[1].at[i],  //
                                               column[2].at[i], column[3].at[i]);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) points.at[4 * i + j] = across.at[j];
    }
    return points;
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

// The points of all tiles of a block, in pairs of tiles: for each of the 16 and each panel of
// channels, for each pair of tiles, a pair for each channel.
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
#pragma GCC unroll 16
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
            store(&bias[channel], load(&bias[channel], LANES) + (one.at[5] + next.at[5]), LANES);
            const int64_t place = (channel / COLUMNS * pairs + pair) * COLUMNS + channel % COLUMNS;
            bf16 *to = slopes.data() + 2 * place;
#pragma GCC unroll 16
            for (int point = 0; point < POINTS; ++point, to += slope_step)
                _mm512_storeu_si512(to, paired(one.at[point], next.at[point]));
        });
    }
};

inline void slopes_of_taps(const Floats m[4], Floats taps[3]) {
    taps[0] = m[0] + 0.5f * (m[1] + m[2]);
    taps[1] = 0.5f * (m[1] - m[2]);
    taps[2] = 0.5f * (m[1] + m[2]) + m[3];
}

// The weights' slopes of one panel: the sums of all threads, in their order, turned into taps.
inline void put_slopes(const std::vector<Slopes> &found, const Shape &shape, int64_t columns,
                       int64_t rows, float *weight) {
    float turned[COLUMNS][9][ROWS];
    for (int row = 0; row < ROWS; ++row)
        for (int column = 0; column < COLUMNS; column += LANES) {
            Floats down[4][3], taps[3][3];
            for (int j = 0; j < 4; ++j) {
                Floats sum[4] = {};
                for (int i = 0; i < 4; ++i) {
                    const int64_t place = row * COLUMNS + column;
                    for (const Slopes &part : found)
                        sum[i] += load(part.panel(4 * i + j, columns, rows) + place, LANES);
                }
                sum[3] = -sum[3];
                slopes_of_taps(sum, down[j]);
            }
            for (int y = 0; y < 3; ++y) {
                const Floats across[4] = {down[0][y], down[1][y], down[2][y], -down[3][y]};
                slopes_of_taps(across, taps[y]);
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
    const Cut cut(shape, WEIGHT_TILES, threads);
    std::vector<Slopes> found;
    for (int thread = 0; thread < threads; ++thread) found.emplace_back(shape);
    const std::vector<bf16> zeros(shape.width * shape.channels);
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (int part = 0; part < threads; ++part)  // Also of threads that were not to be had.
            std::fill_n(found[part].sums.data(), found[part].count, 0.0f);
        Slopes &own = found[omp_get_thread_num()];
        PairedPoints points(shape, own, parts(cut.lines * shape.wide(), 2));
        Block block;
#pragma omp for schedule(static)
        for (int64_t number = 0; number < cut.blocks; ++number) {
            cut.set(block, shape, number, 2);
            points.take(in, gradient, block, zeros.data(), own.bias.data());
            const int64_t pairs = parts(block.count, 2), end = block.first + block.lines;
            const int64_t calls = POINTS * own.row_panels * own.column_panels;
            Ahead pixels(shape.pixels(in), shape, end, end + cut.lines, calls);
            Ahead slopes(shape.results(gradient), shape, end, end + cut.lines, calls);
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
    for (int64_t output = 0; bias && output < shape.outputs; ++output) {
        double sum = 0;
        for (const Slopes &part : found) sum += part.bias[output];
        bias[output] = float(sum);
    }
}

inline int64_t packed_size(const Shape &shape) {
    return POINTS * parts(shape.outputs, COLUMNS) * COLUMNS * shape.channels;
}

}  // namespace winograd
}  // namespace

extern "C" {
// in: (N, H, W, C); weight: (O, 3, 3, C) and bias: (O), float32; out: (N, H', W', O).
void winograd_b16(const winograd::Shape *shape, const bf16 *in, const float *weight,
                  const float *bias, int relu, bf16 *out) {
    const int threads = threads_for(shape->elements());
    const winograd::Buffer<bf16> packed(winograd::packed_size(*shape));
    winograd::pack(weight, *shape, packed.data(), threads);
    winograd::convolve(in, packed.data(), bias, relu, out, *shape, threads);
}

// gradient: (N, H', W', O); out: (N, H, W, C).
void winograd_backward_b16(const winograd::Shape *shape, const bf16 *gradient, const float *weight,
                           bf16 *out) {
    const winograd::Shape back = shape->back();
    const int threads = threads_for(back.elements());
    const winograd::Buffer<bf16> packed(winograd::packed_size(back));
    winograd::pack_turned(weight, back, packed.data(), threads);
    winograd::convolve(gradient, packed.data(), nullptr, false, out, back, threads);
}

// The gradients of weight and bias, in their forms; bias may be null.
void winograd_weight_b16(const winograd::Shape *shape, const bf16 *in, const bf16 *gradient,
                         float *weight, float *bias) {
    winograd::find_slopes(in, gradient, weight, bias, *shape, threads_for(shape->elements()));
}
}

#endif
