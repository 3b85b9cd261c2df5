// What both ways to do 3x3 convolutions in bfloat16 share: winograd.h and tiles.h.

#pragma once

#include <algorithm>
#include <cstdlib>
#include <immintrin.h>
#include <memory>
#include <vector>

#include "vectors.h"

namespace {
namespace convolution {

typedef __m512i Pairs;  // Sixteen pairs of bfloat16.

inline int64_t parts(int64_t whole, int64_t part) { return (whole + part - 1) / part; }

struct Shape {
    int64_t images, height, width, padding, channels, outputs;

    int64_t out_height() const { return height + 2 * padding - 2; }
    int64_t out_width() const { return width + 2 * padding - 2; }
    int64_t in_size() const { return height * width * channels; }  // Of one image.
    int64_t out_size() const { return out_height() * out_width() * outputs; }
    int64_t elements() const { return images * height * width * std::max(channels, outputs); }

    Shape back() const {  // Of the convolution that leads the results' gradient to the pixels.
        return {images, out_height(), out_width(), 2 - padding, outputs, channels};
    }
};

template <class T> struct Buffer {  // Not set to 0, and at the start of a line of the cache.
    struct Free {
        void operator()(T *from) const { std::free(from); }
    };
    std::unique_ptr<T[], Free> values;

    explicit Buffer(int64_t count)
        : values(static_cast<T *>(std::aligned_alloc(64, parts(count * sizeof(T), 64) * 64))) {}
    T *data() const { return values.get(); }
};

// How a number of images, or of other things, is cut into blocks, as many for each thread.
struct Cut {
    int64_t whole, each, blocks;

    // `most`: in a block; at least one is.
    Cut(int64_t whole, int64_t most, int threads) : whole(whole) {
        const int64_t wanted = parts(parts(whole, std::max<int64_t>(1, most)), threads) * threads;
        each = parts(whole, wanted);
        blocks = parts(whole, each);
    }
    int64_t first(int64_t block) const { return block * each; }
    int64_t count(int64_t block) const { return std::min(each, whole - first(block)); }
};

inline Pairs in_pairs(__m512i halves) {  // One of each half in every pair.
    alignas(64) static constexpr uint16_t order[2 * LANES] = {
        0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return _mm512_permutexvar_epi16(_mm512_load_si512(order), halves);
}

// The bias's gradient: the sums of all threads, in their order.
template <class Found> void put_bias(const std::vector<Found> &found, int64_t outputs, float *bias) {
    for (int64_t output = 0; output < outputs; ++output) {
        double sum = 0;
        for (const Found &part : found) sum += part.bias[output];
        bias[output] = float(sum);
    }
}

}  // namespace convolution
}  // namespace
