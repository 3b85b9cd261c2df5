// 3x3 convolutions of stride 1 in bfloat16, with zeros around the maps, and their way back.
//
// On units for whole matrices (AMX) tiles.h does them, with products of vectors winograd.h. Where the
// processor has neither, these functions are missing.

#pragma once

#if defined(__AVX512BF16__)

#if defined(__AMX_BF16__)
#include "tiles.h"
namespace own = tiles;
#else
#include "winograd.h"
namespace own = winograd;
#endif

extern "C" {
// Whether the system lets this process multiply as the functions below do. If not, nobody calls them.
int convolutions_are_allowed() { return own::allowed(); }

// in: (N, H, W, C); weight: (O, 3, 3, C) and bias: (O), float32; out: (N, H', W', O), which starts
// at a line of the cache.
void convolve_b16(const own::Shape *shape, const bf16 *in, const float *weight, const float *bias,
                  int relu, bf16 *out) {
    const int threads = threads_for(shape->elements());
    const convolution::Buffer<bf16> packed(own::packed_size(*shape));
    own::pack(weight, *shape, packed.data(), threads);
    own::convolve(in, packed.data(), bias, relu, out, *shape, threads);
}

// gradient: (N, H', W', O); out: (N, H, W, C).
void convolve_backward_b16(const own::Shape *shape, const bf16 *gradient, const float *weight,
                           bf16 *out) {
    const own::Shape back{shape->back()};
    const int threads = threads_for(back.elements());
    const convolution::Buffer<bf16> packed(own::packed_size(back));
    own::pack_turned(weight, back, packed.data(), threads);
    own::convolve(gradient, packed.data(), nullptr, false, out, back, threads);
}

// The gradients of weight and bias, in their forms; bias may be null.
void convolve_weight_b16(const own::Shape *shape, const bf16 *in, const bf16 *gradient,
                         float *weight, float *bias) {
    own::find_slopes(in, gradient, weight, bias, *shape, threads_for(shape->elements()));
}
}

#endif
