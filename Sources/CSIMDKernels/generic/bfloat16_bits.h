#ifndef QK_BFLOAT16_BITS_H
#define QK_BFLOAT16_BITS_H

#include "float_convert.h"

/// Rounds the bits of a float32 to bfloat16, ties to even; a NaN becomes the quiet one. Without a
/// branch, so that compilers see several lanes at once.
static inline uint32_t qk_bf16_bits(uint32_t bits) {
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : rounded;
}

/// Rounds a float32 to bfloat16 and widens it again.
static inline float qk_rounded_to_bf16(float value) {
    return qk_float_of(qk_bf16_bits(qk_bits_of(value)) << 16);
}

#endif
