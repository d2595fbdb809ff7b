#ifndef QK_VECTOR8_NEON_H
#define QK_VECTOR8_NEON_H

#include "../generic/vector8.h"
#include "neon.h"

#if defined(__aarch64__)

INLINE void load_8(const char *input, qk_float_type type, qk_f32x8 *x) {
    float32x4_t low = load_neon(input, type);
    float32x4_t high = load_neon(input + 4 * qk_float_size(type), type);
    *x = (qk_f32x8)__builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
}

INLINE void narrow_f16_8(const qk_f32x8 *x, qk_u16x8 *halves) {
    float32x4_t low = (float32x4_t)__builtin_shufflevector(*x, *x, 0, 1, 2, 3);
    float32x4_t high = (float32x4_t)__builtin_shufflevector(*x, *x, 4, 5, 6, 7);
    uint16x4_t front = vreinterpret_u16_f16(vcvt_f16_f32(low));
    *halves = (qk_u16x8)vcombine_u16(front, vreinterpret_u16_f16(vcvt_f16_f32(high)));
}

#endif

#endif
