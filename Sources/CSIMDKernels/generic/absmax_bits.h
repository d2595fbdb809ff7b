#ifndef QK_ABSMAX_BITS_H
#define QK_ABSMAX_BITS_H

#include "float_convert.h"

/// Returns the bits of the largest magnitude of elements start ..< start + count, as float32. The
/// order of the bits is that of the magnitudes, with infinity and then the NaNs at the end.
static inline uint32_t qk_absmax_bits(const void *input, qk_float_type type, size_t start,
                                      size_t count) {
    uint32_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = qk_load_bits(input, type, start + i) & 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    return largest;
}

/// Returns the largest magnitude with these bits, a NaN as the positive quiet one without payload:
/// which NaN is the largest depends on whether it became quiet before.
static inline float qk_absmax_value(uint32_t bits) {
    return qk_float_of(bits > 0x7f800000 ? 0x7fc00000 : bits);
}

#endif
