// Sixteen numbers at once, whatever their format in memory, and how the work is divided.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <omp.h>

namespace {

constexpr int64_t GRAIN = 1 << 14;  // Elements below which a second thread does not pay.
constexpr int LANES = 16;

// Sixteen numbers at once; the compiler turns them into what the processor has.
typedef float Floats __attribute__((vector_size(64)));
typedef uint32_t Words __attribute__((vector_size(64)));
typedef int32_t Mask __attribute__((vector_size(64)));
typedef uint16_t Halves __attribute__((vector_size(32)));
typedef uint8_t Bytes __attribute__((vector_size(16)));

struct bf16 {
    uint16_t bits;
};

template <class To, class From> inline To same_bits(From from) {
    To to;
    static_assert(sizeof(To) == sizeof(From), "both hold the same bits");
    std::memcpy(&to, &from, sizeof(To));
    return to;
}

template <class Vector, class T> inline Vector take(const T *from, int lanes) {
    Vector vector{};
    if (lanes == LANES)
        std::memcpy(&vector, from, sizeof(Vector));
    else
        std::memcpy(&vector, from, lanes * sizeof(T));
    return vector;
}

template <class Vector, class T> inline void put(T *to, Vector vector, int lanes) {
    if (lanes == LANES)
        std::memcpy(to, &vector, sizeof(Vector));
    else
        std::memcpy(to, &vector, lanes * sizeof(T));
}

inline Floats load(const float *from, int lanes) { return take<Floats>(from, lanes); }

inline Floats load(const bf16 *from, int lanes) {
    return same_bits<Floats>(__builtin_convertvector(take<Halves>(from, lanes), Words) << 16);
}

inline void store(float *to, Floats values, int lanes) { put(to, values, lanes); }

inline void store(bf16 *to, Floats values, int lanes) {  // To nearest, ties to even.
    const Words words = same_bits<Words>(values);
    const Words rounded = (words + 0x7fff + ((words >> 16) & 1)) >> 16;
    put(to, __builtin_convertvector(rounded, Halves), lanes);
}

inline float first_of(const float *from) { return *from; }

inline float first_of(const bf16 *from) { return same_bits<float>(uint32_t(from->bits) << 16); }

inline void put_one(float *to, float value) { *to = value; }

inline void put_one(bf16 *to, float value) {
    const uint32_t word = same_bits<uint32_t>(value);
    to->bits = uint16_t((word + 0x7fff + ((word >> 16) & 1)) >> 16);
}

inline Floats all(float value) { return value - Floats{}; }

inline Words counting() { return Words{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}; }

inline int lanes_at(int64_t start, int64_t end) { return int(std::min<int64_t>(LANES, end - start)); }

inline int threads_for(int64_t elements) { return elements < GRAIN ? 1 : omp_get_max_threads(); }

}  // namespace
