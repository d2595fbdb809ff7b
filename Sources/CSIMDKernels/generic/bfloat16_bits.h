#ifndef QK_BFLOAT16_BITS_H
#define QK_BFLOAT16_BITS_H

#include <stdint.h>

/// Rounds the bits of a float32 to bfloat16, ties to even; a NaN becomes the quiet one. Without a
/// branch, so that compilers see several lanes at once.
static inline uint32_t qk_bf16_bits(uint32_t bits) {
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : rounded;
}

#endif
