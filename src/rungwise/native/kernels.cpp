// The operations between the matrix products of a training step, each in one pass over memory.
//
// Tensors are dense and channels-last: (N, H, W, C). Every function exists for float32 and for
// bfloat16 (names end in _f32 and _b16); what is computed between loading and storing is float32.
// The work is divided among threads by position alone, so that with one number of threads the
// results are the same bits at every call. Random bits are a hash of key and position: they need
// no state, and nothing has to be stored.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "convolutions.h"
#include "vectors.h"

namespace {

// A uniform 32-bit word for each position, mixed as in MurmurHash3's finalizer.
inline Words random_words(int64_t position, uint64_t key) {
    Words word = (counting() + uint32_t(position)) * 0x9e3779b1u + uint32_t(key);
    word = (word ^ (word >> 16) ^ uint32_t(key >> 32)) * 0x85ebca6bu;
    word = (word ^ (word >> 13)) * 0xc2b2ae35u;
    return word ^ (word >> 16);
}

// Lets every bit of a key change every other. Source: Steele et al. 2014, "Fast splittable
// pseudorandom number generators".
inline uint64_t mixed(uint64_t key) {
    key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9u;
    key = (key ^ (key >> 27)) * 0x94d049bb133111ebu;
    return key ^ (key >> 31);
}

struct Drop {  // Keeps a value where its random word reaches `least`; 0 keeps all.
    uint32_t least;
    float scale;
    uint64_t key;

    Drop(double rate, uint64_t key)
        : least(uint32_t(rate * 4294967296.0)), scale(float(1.0 / (1.0 - rate))), key(mixed(key)) {}

    inline Mask keeps(int64_t position) const { return random_words(position, key) >= least; }
};

inline Floats exponential(Floats x) {  // e^x for x from -87 to 0; relative error below 1e-6.
    x = (x < -87.0f ? all(-87.0f) : x) * 1.44269504089f;
    const Mask whole = __builtin_convertvector(x - 0.5f, Mask);
    const Floats rest = (x - __builtin_convertvector(whole, Floats)) * 0.69314718056f;
    Floats sum = all(1.0f / 5040);
    for (const float term : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f})
        sum = sum * rest + term;
    return sum * same_bits<Floats>((whole + 127) << 23);
}

// The share of the normal distribution below x, and its density there.
// Source: Abramowitz and Stegun 1964, 7.1.26; the error of the share is below 2e-7.
inline void normal(Floats x, Floats &share, Floats &density) {
    const Floats size = x < 0 ? -x : x;
    const Floats t = 1.0f / (1.0f + 0.23164189f * size);
    const Floats bell = exponential(-0.5f * x * x);
    Floats sum = all(1.061405429f);
    for (const float term : {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f})
        sum = sum * t + term;
    const Floats tail = 0.5f * sum * t * bell;
    share = x < 0 ? tail : 1.0f - tail;
    density = 0.39894228040f * bell;
}

// --- From the images to the net, and from the net to the loss ----------------------------------

void to_unit(const uint8_t *pixels, float *out, int64_t count) {
#pragma omp parallel for num_threads(threads_for(count))
    for (int64_t i = 0; i < count; i += LANES) {
        const int lanes = lanes_at(i, count);
        const Mask whole = __builtin_convertvector(take<Bytes>(pixels + i, lanes), Mask);
        store(out + i, __builtin_convertvector(whole, Floats) / 255.0f, lanes);
    }
}

template <class T>
void scale(const float *in, T *out, int64_t pixels, int64_t channels, const float *mean,
           const float *deviation) {
    // One period of means and deviations that whole vectors fill, whatever the channels.
    const int64_t period = channels * LANES;
    std::vector<float> shift(period), factor(period);
    for (int64_t i = 0; i < period; ++i) {
        shift[i] = mean[i % channels];
        factor[i] = deviation[i % channels];
    }
    const int64_t count = pixels * channels;
#pragma omp parallel for num_threads(threads_for(count))
    for (int64_t start = 0; start < count; start += period)
        for (int64_t i = 0; i < std::min(period, count - start); i += LANES) {
            const int lanes = lanes_at(start + i, count);
            const Floats value = load(in + start + i, lanes) - load(&shift[i], LANES);
            store(out + start + i, value / load(&factor[i], LANES), lanes);
        }
}

inline int64_t place_of_largest(int64_t count, const float *values) {
    return std::max_element(values, values + count) - values;
}

// `gradient` is that of the mean over the rows of -sum(targets * log softmax(logits)). To `sums`
// are added that sum over all rows, and the number of rows with both largest at the same place.
template <class T>
void cross_entropy(const T *logits, const float *targets, T *gradient, int64_t rows,
                   int64_t classes, double *sums) {
    std::vector<double> losses(rows);
    std::vector<uint8_t> right(rows);
#pragma omp parallel num_threads(threads_for(rows *classes * 4))
    {
        std::vector<float> shares(classes);
#pragma omp for
        for (int64_t row = 0; row < rows; ++row) {
            const float *target = targets + row * classes;
            float whole = 0;
            for (int64_t k = 0; k < classes; ++k) {
                shares[k] = first_of(logits + row * classes + k);
                whole += target[k];
            }
            const int64_t answer = place_of_largest(classes, shares.data());
            const float highest = shares[answer];
            double sum = 0;
            for (int64_t k = 0; k < classes; ++k) {
                shares[k] -= highest;
                sum += std::exp(shares[k]);
            }
            const float log_sum = float(std::log(sum));
            for (int64_t k = 0; k < classes; ++k) {
                losses[row] -= double(target[k]) * (shares[k] - log_sum);
                const float share = std::exp(shares[k] - log_sum);
                put_one(gradient + row * classes + k, (share * whole - target[k]) / float(rows));
            }
            right[row] = answer == place_of_largest(classes, target);
        }
    }
    for (int64_t row = 0; row < rows; ++row) {
        sums[0] += losses[row];
        sums[1] += right[row];
    }
}

// --- ReLU and dropout -------------------------------------------------------------------------

// Without RELU it is its own way back: the gradient passes where the value did.
template <class T, bool RELU> void drop(T *values, int64_t count, Drop drop) {
#pragma omp parallel for num_threads(threads_for(count))
    for (int64_t i = 0; i < count; i += LANES) {
        const int lanes = lanes_at(i, count);
        const Floats value = load(values + i, lanes) * drop.scale;
        Mask passes = drop.keeps(i);
        if (RELU) passes &= value > 0;
        store(values + i, passes ? value : all(0), lanes);
    }
}

// What came out of ReLU and dropout tells by its sign where the gradient passes.
template <class T> void relu_drop_backward(T *gradient, const T *made, int64_t count, float scale) {
#pragma omp parallel for num_threads(threads_for(count))
    for (int64_t i = 0; i < count; i += LANES) {
        const int lanes = lanes_at(i, count);
        const Floats value = load(gradient + i, lanes) * scale;
        store(gradient + i, load(made + i, lanes) > 0 ? value : all(0), lanes);
    }
}

// --- [ReLU] [dropout] max pooling 2x2 [dropout] -----------------------------------------------

struct Maps {  // Images before and after the pooling.
    int64_t images, height, width, out_height, out_width, channels;
    int64_t elements() const { return images * height * width * channels; }
};

constexpr uint32_t NOWHERE = 4;

// Stores pooled values and where in their windows they came from, but for those that are dropped.
template <class T>
inline void put_pooled(Floats values, Words places, const Drop &after, int64_t position, T *out,
                       uint8_t *from, int lanes) {
    if (after.least) {
        const Mask kept = after.keeps(position);
        values = kept ? values : all(0);
        places = kept ? places : Words{} + NOWHERE;
    }
    store(out + position, values, lanes);
    put(from + position, __builtin_convertvector(places, Bytes), lanes);
}

// Without RELU there is no dropout before: what was dropped would beat what is below 0.
// `from` tells for each result which pixel of the window it came from, so nothing else is kept.
template <class T, bool RELU, bool BEFORE>
void pool(const T *in, T *out, uint8_t *from, Maps maps, Drop before, Drop after) {
#pragma omp parallel for num_threads(threads_for(maps.elements()))
    for (int64_t row = 0; row < maps.images * maps.out_height; ++row) {
        const int64_t y = 2 * (row % maps.out_height);
        const int64_t line = (row / maps.out_height * maps.height + y) * maps.width * maps.channels;
        const int64_t below = y + 1 < maps.height ? maps.width * maps.channels : 0;
        for (int64_t column = 0; column < maps.out_width; ++column) {
            const int64_t right = 2 * column + 1 < maps.width ? maps.channels : 0;
            const int64_t corner = line + 2 * column * maps.channels;
            // A window that sticks out sees its own pixels twice; the first of equals wins.
            const int64_t window[4] = {corner, corner + right, corner + below, corner + below + right};
            const int64_t target = (row * maps.out_width + column) * maps.channels;
            for (int64_t c = 0; c < maps.channels; c += LANES) {
                const int lanes = lanes_at(c, maps.channels);
                Floats best = all(0);
                Words place = Words{} + NOWHERE;
                for (uint32_t k = 0; k < 4; ++k) {
                    const Floats value = load(in + window[k] + c, lanes);
                    Mask better = k || RELU ? Mask(value > best) : Mask{} - 1;
                    if (BEFORE) better &= before.keeps(window[k] + c);
                    best = better ? value : best;
                    place = better ? Words{} + k : place;
                }
                put_pooled(best * (before.scale * after.scale), place, after, target + c, out, from, lanes);
            }
        }
    }
}

template <class T>
void pool_backward(const T *gradient, const uint8_t *from, T *out, Maps maps, float scale) {
    const int64_t channels = maps.channels;
#pragma omp parallel for num_threads(threads_for(maps.elements()))
    for (int64_t line = 0; line < maps.images * maps.height; ++line) {
        const int64_t image = line / maps.height, y = line % maps.height;
        const int64_t row = (image * maps.out_height + y / 2) * maps.out_width * channels;
        T *target = out + line * maps.width * channels;
        for (int64_t x = 0; x < maps.width; ++x, target += channels) {
            if (y / 2 >= maps.out_height || x / 2 >= maps.out_width) {  // Left over at an odd edge.
                std::memset(static_cast<void *>(target), 0, channels * sizeof(T));
                continue;
            }
            const uint32_t place = uint32_t((y % 2) * 2 + x % 2);
            const int64_t source = row + (x / 2) * channels;
            for (int64_t c = 0; c < channels; c += LANES) {
                const int lanes = lanes_at(c, channels);
                const Bytes origin = take<Bytes>(from + source + c, lanes);
                const Mask mine = __builtin_convertvector(origin, Words) == place;
                const Floats value = load(gradient + source + c, lanes) * scale;
                store(target + c, mine ? value : all(0), lanes);
            }
        }
    }
}

// --- The first convolution of a net, with ReLU and 2x2 pooling ----------------------------------
//
// 3x3, stride 1, of grey or colour images, whose own gradient nobody asks for. Its products are
// few; what a library pays for is writing and reading its result at full size, four times as large
// as the pooled one. Here a window's four sums never leave the registers.

struct First {
    const void *images;         // (N, height, width, CHANNELS), in the format of the result.
    int64_t height, width;      // Of the images; `Maps` has those of the convolution's result.
    int64_t padding;            // Zeros around them.
};

// The 4x4 pixels that the window at (y, x) of the result sees, zeros outside the image.
template <class T, int CHANNELS>
inline void take_patch(const First &first, int64_t image, int64_t y, int64_t x, float *patch) {
    const T *pixels = static_cast<const T *>(first.images) + image * first.height * first.width * CHANNELS;
    for (int64_t dy = 0; dy < 4; ++dy)
        for (int64_t dx = 0; dx < 4; ++dx) {
            const int64_t row = y + dy - first.padding, column = x + dx - first.padding;
            const bool inside = row >= 0 && row < first.height && column >= 0 && column < first.width;
            for (int64_t c = 0; c < CHANNELS; ++c)
                *patch++ = inside ? first_of(pixels + (row * first.width + column) * CHANNELS + c) : 0.0f;
        }
}

// Where in the patch the pixel under tap (dy, dx, c) of the sum at place k lies.
template <int CHANNELS> inline int64_t under(int64_t k, int64_t tap) {
    const int64_t y = k / 2 + tap / CHANNELS / 3, x = k % 2 + tap / CHANNELS % 3;
    return (y * 4 + x) * CHANNELS + tap % CHANNELS;
}

// weight: (9 * CHANNELS, channels), float32, the taps in the order y, x, c.
template <class T, int CHANNELS>
void first_pool(First first, const float *weight, const float *bias, T *out, uint8_t *from,
                Maps maps, Drop after) {
#pragma omp parallel for num_threads(threads_for(maps.elements()))
    for (int64_t row = 0; row < maps.images * maps.out_height; ++row) {
        const int64_t image = row / maps.out_height, y = 2 * (row % maps.out_height);
        for (int64_t column = 0; column < maps.out_width; ++column) {
            float patch[16 * CHANNELS];
            take_patch<T, CHANNELS>(first, image, y, 2 * column, patch);
            const int64_t target = (row * maps.out_width + column) * maps.channels;
            for (int64_t c = 0; c < maps.channels; c += LANES) {
                const int lanes = lanes_at(c, maps.channels);
                const Floats start = bias ? load(bias + c, lanes) : all(0);
                Floats sums[4] = {start, start, start, start};
                for (int64_t tap = 0; tap < 9 * CHANNELS; ++tap) {
                    const Floats factor = load(weight + tap * maps.channels + c, lanes);
                    for (int64_t k = 0; k < 4; ++k) sums[k] += patch[under<CHANNELS>(k, tap)] * factor;
                }
                Floats best = all(0);
                Words place = Words{} + NOWHERE;
                for (uint32_t k = 0; k < 4; ++k) {
                    place = sums[k] > best ? Words{} + k : place;
                    best = sums[k] > best ? sums[k] : best;
                }
                put_pooled(best * after.scale, place, after, target + c, out, from, lanes);
            }
        }
    }
}

// The gradients of weight and bias, both float32, in the order of `first_pool`.
template <class T, int CHANNELS>
void first_pool_backward(First first, const T *gradient, const uint8_t *from, float *weight_gradient,
                         float *bias_gradient, Maps maps, float scale) {
    constexpr int TAPS = 9 * CHANNELS;
    const int64_t channels = maps.channels;
    const int threads = threads_for(maps.elements());
    std::vector<double> sums(size_t(threads) * (TAPS + 1) * channels, 0.0);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int part = 0; part < threads; ++part) {
        double *total = sums.data() + size_t(part) * (TAPS + 1) * channels;
        for (int64_t image = maps.images * part / threads; image < maps.images * (part + 1) / threads; ++image)
            for (int64_t c = 0; c < channels; c += LANES) {
                const int lanes = lanes_at(c, channels);
                Floats near[TAPS + 1] = {};
                for (int64_t window = 0; window < maps.out_height * maps.out_width; ++window) {
                    float patch[16 * CHANNELS];
                    take_patch<T, CHANNELS>(first, image, window / maps.out_width * 2, window % maps.out_width * 2, patch);
                    const int64_t source = (image * maps.out_height * maps.out_width + window) * channels + c;
                    const Floats value = load(gradient + source, lanes) * scale;
                    const Words origin = __builtin_convertvector(take<Bytes>(from + source, lanes), Words);
                    for (uint32_t k = 0; k < 4; ++k) {
                        const Floats mine = origin == k ? value : all(0);
                        for (int64_t tap = 0; tap < TAPS; ++tap)
                            near[tap] += patch[under<CHANNELS>(k, tap)] * mine;
                        near[TAPS] += mine;
                    }
                }
                for (int tap = 0; tap <= TAPS; ++tap)
                    for (int lane = 0; lane < lanes; ++lane)
                        total[tap * channels + c + lane] += near[tap][lane];
            }
    }
    for (int64_t i = 0; i < (TAPS + 1) * channels; ++i) {
        double sum = 0;
        for (int part = 0; part < threads; ++part) sum += sums[size_t(part) * (TAPS + 1) * channels + i];
        if (i < TAPS * channels)
            weight_gradient[i] = float(sum);
        else if (bias_gradient)
            bias_gradient[i - TAPS * channels] = float(sum);
    }
}

// --- Batch normalisation [GELU] ---------------------------------------------------------------

struct Pair {
    Floats first, second;
};

// Adds up for each channel, over all rows, the two numbers that `at(row, channel, lanes)` gives.
template <class At>
void sum_rows(int64_t rows, int64_t channels, double *first, double *second, At at) {
    const int threads = threads_for(rows * channels);
    std::vector<double> sums(size_t(threads) * 2 * channels, 0.0);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int part = 0; part < threads; ++part) {
        double *total = sums.data() + size_t(part) * 2 * channels;
        const int64_t end = rows * (part + 1) / threads;
        for (int64_t start = rows * part / threads; start < end; start += 64)
            for (int64_t c = 0; c < channels; c += LANES) {
                const int lanes = lanes_at(c, channels);
                Pair near{all(0), all(0)};
                for (int64_t r = start; r < std::min(start + 64, end); ++r) {
                    const Pair pair = at(r, c, lanes);
                    near.first += pair.first;
                    near.second += pair.second;
                }
                for (int lane = 0; lane < lanes; ++lane) {
                    total[c + lane] += near.first[lane];
                    total[channels + c + lane] += near.second[lane];
                }
            }
    }
    for (int64_t c = 0; c < channels; ++c) {
        first[c] = second[c] = 0;
        for (int part = 0; part < threads; ++part) {
            first[c] += sums[size_t(part) * 2 * channels + c];
            second[c] += sums[size_t(part) * 2 * channels + channels + c];
        }
    }
}

struct Norm {  // Of each channel: weight and bias to learn, mean and 1 / deviation of the batch.
    int64_t rows, channels;
    const float *weight, *bias;
    float *mean, *inverse;
};

// value * scale + shift is the normalised value.
struct Line {
    std::vector<float> scale, shift;

    explicit Line(const Norm &norm) : scale(norm.channels), shift(norm.channels) {
        for (int64_t c = 0; c < norm.channels; ++c) {
            scale[c] = norm.inverse[c] * norm.weight[c];
            shift[c] = norm.bias[c] - norm.mean[c] * scale[c];
        }
    }
};

template <class T, bool GELU>
void norm(const T *in, T *out, Norm norm, float *running_mean, float *running_variance,
          float momentum, float epsilon) {
    const int64_t channels = norm.channels;
    std::vector<float> start(channels);
    std::vector<double> sum(channels), square(channels);
    // Measured from the first row: a mean far from 0 would eat the digits of the variance.
    for (int64_t c = 0; c < channels; ++c) start[c] = first_of(in + c);
    const float *from = start.data();
    sum_rows(norm.rows, channels, sum.data(), square.data(), [=](int64_t r, int64_t c, int lanes) {
        const Floats value = load(in + r * channels + c, lanes) - load(from + c, lanes);
        return Pair{value, value * value};
    });
    for (int64_t c = 0; c < channels; ++c) {
        const double offset = sum[c] / norm.rows;
        const double variance = std::max(square[c] / norm.rows - offset * offset, 0.0);
        const double unbiased = variance * norm.rows / std::max<int64_t>(norm.rows - 1, 1);
        norm.mean[c] = float(offset + start[c]);
        norm.inverse[c] = float(1.0 / std::sqrt(variance + epsilon));
        running_mean[c] += momentum * (norm.mean[c] - running_mean[c]);
        running_variance[c] += momentum * (float(unbiased) - running_variance[c]);
    }
    const Line line(norm);
#pragma omp parallel for num_threads(threads_for(norm.rows *channels))
    for (int64_t r = 0; r < norm.rows; ++r) {
        for (int64_t c = 0; c < channels; c += LANES) {
            const int lanes = lanes_at(c, channels);
            Floats value = load(in + r * channels + c, lanes) * load(&line.scale[c], lanes) +
                           load(&line.shift[c], lanes);
            if (GELU) {
                Floats share, density;
                normal(value, share, density);
                value *= share;
            }
            store(out + r * channels + c, value, lanes);
        }
    }
}

// RELU: the input came out of a ReLU, through which the gradient shall go back as well.
template <class T, bool GELU, bool RELU>
void norm_backward(const T *gradient, const T *in, T *out, Norm norm, float *weight_gradient,
                   float *bias_gradient) {
    const int64_t channels = norm.channels;
    const Line line(norm);
    std::vector<double> plain(channels), weighted(channels);
    // GELU's slope is dear and needed twice: the first pass leaves its product in `out`.
    sum_rows(norm.rows, channels, plain.data(), weighted.data(), [&](int64_t r, int64_t c, int lanes) {
        const Floats value = load(in + r * channels + c, lanes);
        Floats slope = load(gradient + r * channels + c, lanes);
        if (GELU) {
            const Floats normed = value * load(&line.scale[c], lanes) + load(&line.shift[c], lanes);
            Floats share, density;
            normal(normed, share, density);
            slope *= share + normed * density;
            store(out + r * channels + c, slope, lanes);
        }
        return Pair{slope, slope * (value - load(norm.mean + c, lanes))};
    });
    std::vector<float> level(channels), slant(channels);
    for (int64_t c = 0; c < channels; ++c) {
        bias_gradient[c] = float(plain[c]);
        weight_gradient[c] = float(weighted[c] * norm.inverse[c]);
        level[c] = float(plain[c] / norm.rows);
        slant[c] = float(weighted[c] * norm.inverse[c] * norm.inverse[c] / norm.rows);
    }
    const T *slopes = GELU ? out : gradient;
#pragma omp parallel for num_threads(threads_for(norm.rows *channels))
    for (int64_t r = 0; r < norm.rows; ++r) {
        for (int64_t c = 0; c < channels; c += LANES) {
            const int lanes = lanes_at(c, channels);
            const Floats value = load(in + r * channels + c, lanes);
            const Floats centred = value - load(norm.mean + c, lanes);
            const Floats slope = load(slopes + r * channels + c, lanes) - load(&level[c], lanes);
            Floats change = (slope - centred * load(&slant[c], lanes)) * load(&line.scale[c], lanes);
            if (RELU) change = value > 0 ? change : all(0);
            store(out + r * channels + c, change, lanes);
        }
    }
}

}  // namespace

#define BOTH(DEFINE) DEFINE(float, f32) DEFINE(bf16, b16)

#define ENDS(T, NAME)                                                                              \
    void scale_##NAME(const float *in, T *out, int64_t pixels, int64_t channels,                   \
                      const float *mean, const float *deviation) {                                 \
        scale(in, out, pixels, channels, mean, deviation);                                         \
    }                                                                                              \
    void cross_entropy_##NAME(const T *logits, const float *targets, T *gradient, int64_t rows,    \
                              int64_t classes, double *sums) {                                     \
        cross_entropy(logits, targets, gradient, rows, classes, sums);                             \
    }

#define DROP(T, NAME)                                                                         \
    void drop_##NAME(T *values, int64_t count, int relu, double rate, uint64_t key) {              \
        (relu ? drop<T, true> : drop<T, false>)(values, count, Drop(rate, key));                   \
    }                                                                                              \
    void relu_drop_backward_##NAME(T *gradient, const T *made, int64_t count, double rate) {       \
        relu_drop_backward(gradient, made, count, Drop(rate, 0).scale);                            \
    }

#define POOL(T, NAME)                                                                              \
    void pool_##NAME(const T *in, T *out, uint8_t *from, const Maps *maps, int relu,               \
                     double rate_before, uint64_t key_before, double rate_after,                   \
                     uint64_t key_after) {                                                         \
        const auto chosen = !relu            ? pool<T, false, false>                               \
                            : rate_before > 0 ? pool<T, true, true>                                \
                                              : pool<T, true, false>;                              \
        chosen(in, out, from, *maps, Drop(rate_before, key_before), Drop(rate_after, key_after));  \
    }                                                                                              \
    void pool_backward_##NAME(const T *gradient, const uint8_t *from, T *out, const Maps *maps,    \
                              double rate_before, double rate_after) {                             \
        pool_backward(gradient, from, out, *maps, Drop(rate_before, 0).scale *                     \
                                                      Drop(rate_after, 0).scale);                  \
    }

#define FIRST(T, NAME)                                                                             \
    void first_pool_##NAME(const First *first, int colours, const float *weight,                   \
                           const float *bias, T *out, uint8_t *from, const Maps *maps,             \
                           double rate, uint64_t key) {                                            \
        const auto chosen = colours == 1 ? first_pool<T, 1> : first_pool<T, 3>;                    \
        chosen(*first, weight, bias, out, from, *maps, Drop(rate, key));                           \
    }                                                                                              \
    void first_pool_backward_##NAME(const First *first, int colours, const T *gradient,            \
                                    const uint8_t *from, float *weight_gradient,                   \
                                    float *bias_gradient, const Maps *maps, double rate) {         \
        const auto chosen = colours == 1 ? first_pool_backward<T, 1> : first_pool_backward<T, 3>;  \
        chosen(*first, gradient, from, weight_gradient, bias_gradient, *maps, Drop(rate, 0).scale); \
    }

#define NORM(T, NAME)                                                                              \
    void norm_##NAME(const T *in, T *out, const Norm *of, float *running_mean,                     \
                     float *running_variance, double momentum, double epsilon, int gelu) {         \
        (gelu ? norm<T, true> : norm<T, false>)(in, out, *of, running_mean, running_variance,      \
                                                float(momentum), float(epsilon));                  \
    }                                                                                              \
    void norm_backward_##NAME(const T *gradient, const T *in, T *out, const Norm *of,              \
                              float *weight_gradient, float *bias_gradient, int gelu, int relu) {  \
        const auto chosen =                                                                        \
            gelu ? (relu ? norm_backward<T, true, true> : norm_backward<T, true, false>)           \
                 : (relu ? norm_backward<T, false, true> : norm_backward<T, false, false>);        \
        chosen(gradient, in, out, *of, weight_gradient, bias_gradient);                            \
    }

extern "C" {
void to_unit_u8(const uint8_t *pixels, float *out, int64_t count) { to_unit(pixels, out, count); }
BOTH(ENDS)
BOTH(DROP)
BOTH(POOL)
BOTH(FIRST)
BOTH(NORM)
}
