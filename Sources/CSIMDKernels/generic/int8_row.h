#ifndef QK_INT8_ROW_H
#define QK_INT8_ROW_H

#include "float_convert.h"

// The pieces of the rule that run once a row, shared by the variants.

/// Returns the scale of a row whose largest magnitude has the given bits. Rounding keeps the order,
/// so the largest rounded magnitude is the largest magnitude, rounded.
static inline float qk_int8_row_scale(uint32_t absmax_bits) {
    return qk_float_of(qk_widen_f16(qk_narrow_f16(absmax_bits)));
}

/// Returns whether a row with this scale has codes other than 0, and their factor.
static inline int qk_int8_row_factor(float scale, float *factor) {
    uint32_t bits = qk_bits_of(scale);
    if (bits == 0 || bits >= 0x7f800000)
        return 0;
    *factor = (1.0f / scale) * 127.0f;
    return 1;
}

/// fl(1 / 127), the factor of dequantization.
#define QK_INT8_UNIT 0.007874015718698502f

#endif
