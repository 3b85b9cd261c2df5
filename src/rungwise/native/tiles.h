// 3x3 convolutions of stride 1 in bfloat16, on the processor's units for whole matrices (AMX).
//
// A unit multiplies a tile of 16 rows of 32 numbers with one of 32 rows of 16, summed in float32.
// The maps of an image are laid out with zeros around them, each row sharing those at its right with
// the next row's at its left: so what a tap of the filter meets, result after result, stands one
// after the other, and a tile is read from there for each tap. Results are made at the zeros between
// rows as well, and left out.
//
// The gradients of the weights are sums over pixels. For them the results' gradients are turned, so
// that pixels stand beside each other, and the maps are laid out in pairs of pixels, as the unit
// wants its right factor; twice, as every other tap begins with the second pixel of a pair.
//
// What is multiplied stays in the processor's second cache, unless an image alone is too large for it.

#pragma once

#include <algorithm>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

#include "convolution.h"
#include "vectors.h"

namespace {
namespace tiles {

using convolution::Buffer;
using convolution::Cut;
using convolution::in_pairs;
using convolution::Pairs;
using convolution::parts;
using convolution::Shape;

constexpr int TAPS = 9;
constexpr int SIDE = LANES;       // Rows of a left factor, and columns of a right one,
constexpr int DEPTH = 2 * LANES;  // and how many numbers of each are summed over.
constexpr int64_t TILE = SIDE * DEPTH;  // Numbers of a factor,
constexpr int64_t SUMS = SIDE * SIDE;   // and of a product.
constexpr int64_t MAPS = 1 << 18;    // Numbers of a block's maps in the convolution,
constexpr int64_t PLACES = 1 << 11;  // and places of one in the slopes of the weights.

// Whether Linux lets this process use the units; it wants to be asked once.
inline bool allowed() {
    constexpr long ask = 0x1023, units = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    return syscall(SYS_arch_prctl, ask, units) == 0;
}

// The units are this thread's as long as this lives. Tiles 0 to 3 are sums, 4 and 5 left factors,
// both of `rows` rows, at most sixteen; 6 and 7 are right factors.
struct Units {
    explicit Units(int64_t rows) {
        struct {
            uint8_t palette = 1, start = 0, reserved[14] = {};
            uint16_t row_bytes[16] = {};
            uint8_t rows[16] = {};
        } settings;
        for (int tile = 0; tile < 8; ++tile) {
            settings.row_bytes[tile] = 64;
            settings.rows[tile] = uint8_t(tile < 6 ? rows : SIDE);
        }
        asm volatile("" ::"r"(&settings) : "memory");  // As `settle`, which knows no locals.
        _tile_loadconfig(&settings);
    }
    ~Units() { _tile_release(); }
    Units(const Units &) = delete;
};

// The compiler does not see that tiles are read from memory: what was written is to be there.
inline void settle() { asm volatile("" ::: "memory"); }

// Sums of products of one or two left factors, below each other, and one or two right ones.
template <int ROWS, int COLUMNS> struct Product {
    static inline void clear() {
        _tile_zero(0);
        if (COLUMNS == 2) _tile_zero(1);
        if (ROWS == 2) _tile_zero(2);
        if (ROWS == 2 && COLUMNS == 2) _tile_zero(3);
    }
    // `row`: bytes from one row of a left factor to the next.
    static inline void add(const bf16 *upper, const bf16 *lower, int64_t row, const bf16 *left,
                           const bf16 *right) {
        _tile_loadd(4, upper, row);
        if (ROWS == 2) _tile_loadd(5, lower, row);
        _tile_loadd(6, left, 64);
        if (COLUMNS == 2) _tile_loadd(7, right, 64);
        _tile_dpbf16ps(0, 4, 6);
        if (COLUMNS == 2) _tile_dpbf16ps(1, 4, 7);
        if (ROWS == 2) _tile_dpbf16ps(2, 5, 6);
        if (ROWS == 2 && COLUMNS == 2) _tile_dpbf16ps(3, 5, 7);
    }
    // `right` and `below`: numbers to the sums there; `row`: bytes from one row to the next.
    static inline void read(const float *sums, int64_t right, int64_t below, int64_t row) {
        _tile_loadd(0, sums, row);
        if (COLUMNS == 2) _tile_loadd(1, sums + right, row);
        if (ROWS == 2) _tile_loadd(2, sums + below, row);
        if (ROWS == 2 && COLUMNS == 2) _tile_loadd(3, sums + below + right, row);
    }
    static inline void write(float *sums, int64_t right, int64_t below, int64_t row) {
        _tile_stored(0, sums, row);
        if (COLUMNS == 2) _tile_stored(1, sums + right, row);
        if (ROWS == 2) _tile_stored(2, sums + below, row);
        if (ROWS == 2 && COLUMNS == 2) _tile_stored(3, sums + below + right, row);
    }
};

// --- Layout --------------------------------------------------------------------------------------

// The places of an image's maps with the zeros around them, and of its results: result and upper
// left tap are at the same place.
struct Field {
    int64_t row, whole;         // Places of a row, and of an image with the next one below it.
    int64_t reach;              // How many places behind a result its last tap is.
    int64_t tiles, tile_rows;   // Tiles that hold all results of an image, and their rows.
    std::vector<int32_t> pixel;   // Which pixel is at each place,
    std::vector<int32_t> result;  // and which result; -1 for none.

    explicit Field(const Shape &shape)
        : row(shape.width + shape.padding), whole((shape.height + shape.padding) * row),
          reach(2 * row + 2) {
        const int64_t last = (shape.out_height() - 1) * row + shape.out_width();
        tiles = parts(last, SIDE), tile_rows = parts(last, tiles);
        pixel.assign(std::max(whole, tiles * tile_rows) + reach, -1), result = pixel;
        for (int64_t y = 0; y < shape.height; ++y)
            for (int64_t x = 0; x < shape.width; ++x)
                pixel[(y + shape.padding) * row + x + shape.padding] = int32_t(y * shape.width + x);
        for (int64_t y = 0; y < shape.out_height(); ++y)
            for (int64_t x = 0; x < shape.out_width(); ++x)
                result[y * row + x] = int32_t(y * shape.out_width() + x);
    }
    int64_t places() const { return tiles * tile_rows + reach; }
    int64_t shift(int64_t tap) const { return tap / 3 * row + tap % 3; }
};

// The first of sixteen or 32 lanes.
inline __mmask16 some_of_16(int64_t count) {
    return __mmask16(count >= LANES ? 0xffff : (1 << count) - 1);
}

inline __mmask32 some_of_32(int64_t count) {
    return count >= DEPTH ? ~__mmask32(0) : (__mmask32(1) << count) - 1;
}

inline __m512i together(__m256i low, __m256i high) {
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

inline __m256i rounded(const float *from, int64_t count) {
    return (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(some_of_16(count), from));
}

// Rows of sixteen pairs become columns.
inline void turn(Pairs (&rows)[SIDE]) {
    Pairs next[SIDE];
    for (int i = 0; i < SIDE; i += 2) {
        next[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        next[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    for (int i = 0; i < SIDE; i += 4)
        for (int j = 0; j < 2; ++j) {
            rows[i + 2 * j] = _mm512_unpacklo_epi64(next[i + j], next[i + 2 + j]);
            rows[i + 2 * j + 1] = _mm512_unpackhi_epi64(next[i + j], next[i + 2 + j]);
        }
    for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 2; ++j) {
            const Pairs upper = rows[8 * j + i], lower = rows[8 * j + 4 + i];
            next[8 * j + i] = _mm512_shuffle_i32x4(upper, lower, 0x88);
            next[8 * j + 4 + i] = _mm512_shuffle_i32x4(upper, lower, 0xdd);
        }
    for (int i = 0; i < 8; ++i) {
        rows[i] = _mm512_shuffle_i32x4(next[i], next[8 + i], 0x88);
        rows[8 + i] = _mm512_shuffle_i32x4(next[i], next[8 + i], 0xdd);
    }
}

inline void put_rows(const Pairs (&rows)[SIDE], bf16 *tile) {
    for (int i = 0; i < SIDE; ++i) _mm512_storeu_si512(tile + i * DEPTH, rows[i]);
}

// --- Weights -------------------------------------------------------------------------------------
//
// (outputs, 3, 3, channels) in memory. Packed: for each 32 outputs, for each 32 channels, for each
// tap, two right factors.

inline int64_t panel_size(const Shape &shape) {
    return parts(shape.channels, DEPTH) * TAPS * 2 * TILE;
}

inline int64_t packed_size(const Shape &shape) {
    return parts(shape.outputs, DEPTH) * panel_size(shape);
}

// Where the factor of sixteen outputs (`column`) and 32 channels (`row`) is.
inline int64_t place_of(const Shape &shape, int64_t column, int64_t row, int64_t tap) {
    return column / 2 * panel_size(shape) + ((row * TAPS + tap) * 2 + column % 2) * TILE;
}

// Calls work(column, row, tap) for every factor.
template <class Work> inline void each_factor(const Shape &shape, int threads, Work work) {
    const int64_t columns = parts(shape.outputs, SIDE), rows = parts(shape.channels, DEPTH);
#pragma omp parallel for num_threads(threads)
    for (int64_t column = 0; column < columns; ++column)
        for (int64_t row = 0; row < rows; ++row)
            for (int64_t tap = 0; tap < TAPS; ++tap) work(column, row, tap);
}

inline void pack(const float *weight, const Shape &shape, bf16 *packed, int threads) {
    each_factor(shape, threads, [&](int64_t column, int64_t row, int64_t tap) {
        Pairs rows[SIDE];
        for (int64_t i = 0; i < SIDE; ++i) {
            const int64_t output = column * SIDE + i, first = row * DEPTH;
            const float *from = weight + (output * TAPS + tap) * shape.channels + first;
            const int64_t count = output < shape.outputs ? shape.channels - first : 0;
            const int64_t more = std::max<int64_t>(count - LANES, 0);
            rows[i] = together(rounded(from, count), rounded(from + LANES, more));
        }
        turn(rows);
        put_rows(rows, packed + place_of(shape, column, row, tap));
    });
}

// For the way back: the taps turned by 180 degrees, and the channels exchanged. `shape` is the
// one of the way back, so that its outputs are what lies together in memory.
inline void pack_turned(const float *weight, const Shape &shape, bf16 *packed, int threads) {
    each_factor(shape, threads, [&](int64_t column, int64_t row, int64_t tap) {
        const auto outputs_of = [&](int64_t channel) {
            const int64_t first = column * SIDE, count = shape.outputs - first;
            const float *from = weight + (channel * TAPS + TAPS - 1 - tap) * shape.outputs + first;
            return rounded(from, channel < shape.channels ? count : 0);
        };
        Pairs rows[SIDE];
        for (int64_t i = 0; i < SIDE; ++i) {
            const int64_t channel = row * DEPTH + 2 * i;
            rows[i] = in_pairs(together(outputs_of(channel), outputs_of(channel + 1)));
        }
        put_rows(rows, packed + place_of(shape, column, row, tap));
    });
}

// --- The convolution -----------------------------------------------------------------------------

// Where what a tile has become is put.
struct Made {
    const int32_t *result;  // Which result each row is; -1 for none.
    bf16 *image;
};

// maps: each place of the field, `step` numbers from one to the next.
inline void spread(const bf16 *image, const Shape &shape, const Field &field, const bf16 *zeros,
                   int64_t step, bf16 *maps) {
    for (int64_t place = 0; place < field.places(); ++place, maps += step) {
        const int32_t pixel = field.pixel[place];
        const bf16 *from = pixel < 0 ? zeros : image + pixel * shape.channels;
        for (int64_t first = 0; first < shape.channels; first += DEPTH) {
            const __mmask32 mask = some_of_32(shape.channels - first);
            _mm512_storeu_si512(maps + first, _mm512_maskz_loadu_epi16(mask, from + first));
        }
    }
}

// The sums are left in the units.
template <int ROWS, int COLUMNS>
void multiply(const bf16 *upper, const bf16 *lower, int64_t step, const Field &field,
              const bf16 *packed, int64_t channels) {
    Product<ROWS, COLUMNS>::clear();
    for (int64_t channel = 0; channel < channels; channel += DEPTH)
        for (int64_t tap = 0; tap < TAPS; ++tap, packed += 2 * TILE) {
            const int64_t at = field.shift(tap) * step + channel;
            Product<ROWS, COLUMNS>::add(upper + at, lower + at, step * int64_t(sizeof(bf16)), packed,
                                        packed + TILE);
        }
}

template <int ROWS, int COLUMNS> void write_sums(float *sums) {
    Product<ROWS, COLUMNS>::write(sums, SIDE, SIDE * DEPTH, DEPTH * sizeof(float));
}

constexpr decltype(&multiply<1, 1>) MULTIPLY[2][2] = {{multiply<1, 1>, multiply<1, 2>},
                                                      {multiply<2, 1>, multiply<2, 2>}};
constexpr decltype(&write_sums<1, 1>) WRITE_SUMS[2][2] = {{write_sums<1, 1>, write_sums<1, 2>},
                                                          {write_sums<2, 1>, write_sums<2, 2>}};

// sums: (rows, 32), of which the first `count` columns are outputs.
template <bool RELU>
void put_results(const float *sums, int64_t rows, Made made, const float *bias, int64_t first,
                 const Shape &shape) {
    const int64_t count = std::min<int64_t>(DEPTH, shape.outputs - first);
    const int low = int(std::min<int64_t>(LANES, count)), high = int(count - low);
    const Floats left = bias ? load(bias + first, low) : all(0);
    const Floats right = bias ? load(bias + first + low, high) : all(0);
    for (int64_t i = 0; i < rows; ++i, sums += DEPTH) {
        if (made.result[i] < 0) continue;
        Floats one = load(sums, LANES) + left, other = load(sums + LANES, LANES) + right;
        if (RELU) one = one < 0 ? all(0) : one, other = other < 0 ? all(0) : other;
        const __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)other, (__m512)one);
        bf16 *to = made.image + made.result[i] * shape.outputs + first;
        if (shape.outputs % DEPTH == 0)  // Whole lines, past the cache: they need not be read.
            _mm512_stream_si512((__m512i *)to, both);
        else
            _mm512_mask_storeu_epi16(to, some_of_32(count), both);
    }
}

void convolve(const bf16 *in, const bf16 *packed, const float *bias, bool relu, bf16 *out,
              const Shape &shape, int threads) {
    const Field field(shape);
    // An odd number of lines of the cache, or places below each other would fight for a few.
    const int64_t step = (parts(shape.channels, DEPTH) | 1) * DEPTH, size = field.places() * step;
    const Cut cut(shape.images, MAPS / size, threads);
    const Buffer<bf16> all_maps(threads * cut.each * size);
    const std::vector<bf16> zeros(shape.channels);
    const auto put = relu ? put_results<true> : put_results<false>;
#pragma omp parallel num_threads(threads)
    {
        const Units units(field.tile_rows);
        bf16 *maps = all_maps.data() + omp_get_thread_num() * cut.each * size;
        alignas(64) float sums[2 * SIDE * DEPTH];
#pragma omp for schedule(static)
        for (int64_t block = 0; block < cut.blocks; ++block) {
            const int64_t first = cut.first(block), images = cut.count(block);
            for (int64_t i = 0; i < images; ++i)
                spread(in + (first + i) * shape.in_size(), shape, field, zeros.data(), step,
                       maps + i * size);
            settle();
            const int64_t tiles = images * field.tiles;
            for (int64_t output = 0; output < shape.outputs; output += DEPTH) {
                const bf16 *factors = packed + output / DEPTH * panel_size(shape);
                const bool wide = shape.outputs - output > SIDE;
                Made made[2];
                int waiting = 0;
                const auto put_made = [&] {
                    for (int i = 0; i < waiting; ++i)
                        put(sums + i * SIDE * DEPTH, field.tile_rows, made[i], bias, output, shape);
                };
                for (int64_t tile = 0; tile < tiles; tile += 2) {
                    const bool two = tile + 1 < tiles;
                    const bf16 *at[2] = {maps, maps};
                    Made next[2];
                    for (int i = 0; i <= two; ++i) {
                        const int64_t image = (tile + i) / field.tiles;
                        const int64_t place = (tile + i) % field.tiles * field.tile_rows;
                        at[i] = maps + image * size + place * step;
                        next[i] = {&field.result[place], out + (first + image) * shape.out_size()};
                    }
                    MULTIPLY[two][wide](at[0], at[1], step, field, factors, shape.channels);
                    put_made();  // Of the tiles before, while the units finish.
                    WRITE_SUMS[two][wide](sums);
                    settle();
                    waiting = 1 + two;
                    std::copy_n(next, waiting, made);
                }
                put_made();
            }
        }
        _mm_sfence();
    }
}

// --- The slopes of the weights -------------------------------------------------------------------

// What one thread has of the slopes: for sixteen outputs (a row) and channels (a column) and each
// tap a product; and those of the bias.
struct Slopes {
    int64_t rows, columns, count;
    Buffer<float> sums;
    std::vector<double> bias;

    explicit Slopes(const Shape &shape)
        : rows(parts(shape.outputs, SIDE)), columns(parts(shape.channels, SIDE)),
          count(rows * columns * TAPS * SUMS), sums(count), bias(shape.outputs) {}

    float *product(int64_t row, int64_t column, int64_t tap) const {
        return sums.data() + ((row * columns + column) * TAPS + tap) * SUMS;
    }
};

// A block of images, one below the other. Left factors: for sixteen outputs and 32 places the
// results' gradients. Right factors: for sixteen channels and pairs of places the maps, with pairs
// that begin at even places and with such that begin at odd ones.
struct Stack {
    const Shape &shape;
    const Field &field;
    int64_t places, pairs;
    Buffer<bf16> gradients, maps;
    const std::vector<bf16> zeros;

    Stack(const Shape &shape, const Field &field, const Slopes &found, int64_t images)
        : shape(shape), field(field), places(parts(images * field.whole, DEPTH) * DEPTH),
          pairs((places + field.reach) / 2 + 1), gradients(found.rows * SIDE * places),
          maps(found.columns * 2 * pairs * DEPTH), zeros(std::max(shape.channels, shape.outputs)) {}

    const bf16 *left(int64_t row) const { return gradients.data() + row * SIDE * places; }
    bf16 *right(int64_t column, int64_t odd) const {
        return maps.data() + (2 * column + odd) * pairs * DEPTH;
    }

    void take(const bf16 *in, const bf16 *slopes, int64_t images) {
        take_gradients(slopes, images);
        take_maps(in, images);
        settle();
    }

  private:
    // Calls work(place, the numbers there) for all places up to `end`.
    template <class Work>
    void each(const bf16 *image, const std::vector<int32_t> &which, int64_t size, int64_t channels,
              int64_t images, int64_t end, Work work) const {
        int64_t place = 0;
        for (int64_t number = 0; number < images; ++number, image += size)
            for (int64_t i = 0; i < field.whole; ++i, ++place)
                work(place, which[i] < 0 ? zeros.data() : image + which[i] * channels);
        for (; place < end; ++place) work(place, zeros.data());
    }

    // Sixteen channels of two places.
    static Pairs paired(const bf16 *one, const bf16 *other, int64_t first, int64_t channels) {
        const __mmask16 mask = some_of_16(channels - first);
        return in_pairs(together(_mm256_maskz_loadu_epi16(mask, one + first),
                                 _mm256_maskz_loadu_epi16(mask, other + first)));
    }

    void take_gradients(const bf16 *slopes, int64_t images) {
        const int64_t outputs = shape.outputs, size = shape.out_size();
        const bf16 *at[DEPTH];
        each(slopes, field.result, size, outputs, images, places, [&](int64_t place,
                                                                      const bf16 *from) {
            at[place % DEPTH] = from;
            if (place % DEPTH < DEPTH - 1) return;
            for (int64_t first = 0; first < outputs; first += SIDE) {
                Pairs rows[SIDE];
                for (int i = 0; i < SIDE; ++i)
                    rows[i] = paired(at[2 * i], at[2 * i + 1], first, outputs);
                turn(rows);
                put_rows(rows, gradients.data() + first * places + place / DEPTH * TILE);
            }
        });
    }

    void take_maps(const bf16 *in, int64_t images) {
        const int64_t channels = shape.channels, size = shape.in_size();
        const bf16 *before = nullptr;
        each(in, field.pixel, size, channels, images, 2 * pairs, [&](int64_t place,
                                                                     const bf16 *from) {
            for (int64_t first = 0; place > 0 && first < channels; first += SIDE) {
                bf16 *to = right(first / SIDE, (place - 1) % 2) + (place - 1) / 2 * DEPTH;
                _mm512_storeu_si512(to, paired(before, from, first, channels));
            }
            before = from;
        });
    }
};

// Of an image larger than a block a part at a time, so that all taps find it in the cache.
template <int ROWS, int COLUMNS>
void add_slopes(const Stack &stack, const Slopes &found, int64_t row, int64_t column) {
    typedef Product<ROWS, COLUMNS> Product;
    const int64_t right = TAPS * SUMS, below = found.columns * TAPS * SUMS;
    const bf16 *upper = stack.left(row), *lower = upper + SIDE * stack.places;
    for (int64_t place = 0; place < stack.places; place += PLACES) {
        const int64_t start = place * SIDE, end = std::min(place + PLACES, stack.places) * SIDE;
        for (int64_t tap = 0; tap < TAPS; ++tap) {
            const int64_t shift = stack.field.shift(tap);
            const bf16 *one = stack.right(column, shift % 2) + shift / 2 * DEPTH;
            const bf16 *other = one + 2 * stack.pairs * DEPTH;
            float *sums = found.product(row, column, tap);
            Product::read(sums, right, below, SIDE * sizeof(float));
            for (int64_t at = start; at < end; at += TILE)
                Product::add(upper + at, lower + at, DEPTH * sizeof(bf16), one + at, other + at);
            Product::write(sums, right, below, SIDE * sizeof(float));
        }
    }
}

constexpr decltype(&add_slopes<1, 1>) ADD_SLOPES[2][2] = {{add_slopes<1, 1>, add_slopes<1, 2>},
                                                          {add_slopes<2, 1>, add_slopes<2, 2>}};

inline void add_rows(const bf16 *values, int64_t rows, int64_t columns, double *totals) {
    for (int64_t first = 0; first < columns; first += LANES) {
        const int lanes = lanes_at(first, columns);
        Floats sum{};
        for (int64_t i = 0; i < rows; ++i) sum += load(values + i * columns + first, lanes);
        for (int lane = 0; lane < lanes; ++lane) totals[first + lane] += sum[lane];
    }
}

// The weights' slopes of sixteen outputs: the sums of all threads, in their order.
inline void put_slopes(const std::vector<Slopes> &found, const Shape &shape, int64_t row,
                       float *weight) {
    const int64_t end = std::min<int64_t>(shape.outputs, (row + 1) * SIDE);
    for (int64_t output = row * SIDE; output < end; ++output)
        for (int64_t tap = 0; tap < TAPS; ++tap)
            for (int64_t first = 0; first < shape.channels; first += SIDE) {
                Floats sum{};
                for (const Slopes &part : found) {
                    const float *product = part.product(row, first / SIDE, tap);
                    sum += load(product + output % SIDE * SIDE, LANES);
                }
                float *to = weight + (output * TAPS + tap) * shape.channels + first;
                store(to, sum, lanes_at(first, shape.channels));
            }
}

void find_slopes(const bf16 *in, const bf16 *gradient, float *weight, float *bias,
                 const Shape &shape, int threads) {
    const Field field(shape);
    const Cut cut(shape.images, PLACES / field.whole, threads);
    std::vector<Slopes> found;
    for (int thread = 0; thread < threads; ++thread) found.emplace_back(shape);
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (int part = 0; part < threads; ++part)  // Also of threads that were not to be had.
            std::fill_n(found[part].sums.data(), found[part].count, 0.0f);
        Slopes &own = found[omp_get_thread_num()];
        Stack stack(shape, field, own, cut.each);
        const Units units(SIDE);
#pragma omp for schedule(static)
        for (int64_t block = 0; block < cut.blocks; ++block) {
            const int64_t first = cut.first(block), images = cut.count(block);
            const bf16 *slopes = gradient + first * shape.out_size();
            const int64_t rows = images * shape.out_size() / shape.outputs;
            stack.take(in + first * shape.in_size(), slopes, images);
            if (bias) add_rows(slopes, rows, shape.outputs, own.bias.data());
            for (int64_t column = 0; column < own.columns; column += 2)
                for (int64_t row = 0; row < own.rows; row += 2) {
                    const bool two = row + 1 < own.rows, wide = column + 1 < own.columns;
                    ADD_SLOPES[two][wide](stack, own, row, column);
                }
        }
        settle();
#pragma omp for schedule(static)
        for (int64_t row = 0; row < own.rows; ++row) put_slopes(found, shape, row, weight);
    }
    if (bias) convolution::put_bias(found, shape.outputs, bias);
}

}  // namespace tiles
}  // namespace
