#ifndef QK_INT8_ROW_H
#define QK_INT8_ROW_H

#include "float_convert.h"

// The pieces of the rule that run once a row, shared by the variants.

/// Returns the scale of a row with the given largest magnitude. Rounding keeps the order, so the
/// largest rounded magnitude is the largest magnitude, rounded.
static inline float qk_int8_row_scale(float absmax) {
    return qk_float_of(qk_widen_f16(qk_narrow_f16(qk_bits_of(absmax))));
}

/// Returns whether a row with this scale has codes other than 0, and their factor.
static inline int qk_int8_row_factor(float scale, float *factor) {
    uint32_t bits = qk_bits_of(scale);
    if (bits == 0 || bits >= 0x7f800000)
        return 0;
    *factor = (1.0f / scale) * 127.0f;
    return 1;
}

/// Returns the code of an element with the given float32 bits.
static inline int8_t qk_int8_code(uint32_t bits, float factor) {
    float scaled = qk_float_of(qk_widen_f16(qk_narrow_f16(bits))) * factor;
    // Adding 1.5 * 2^23 rounds to an integer, ties to even.
    return (int8_t)((scaled + 12582912.0f) - 12582912.0f);
}

/// Quantizes elements of a row.
static inline void qk_quantize_int8_run(const void *input, qk_float_type type, size_t count,
                                        float factor, int8_t *codes) {
    for (size_t i = 0; i < count; i++)
        codes[i] = qk_int8_code(qk_load_bits(input, type, i), factor);
}

/// Dequantizes elements of a row.
static inline void qk_dequantize_int8_run(const int8_t *codes, float scale, size_t count, void *out,
                                          qk_float_type type) {
    for (size_t i = 0; i < count; i++)
        qk_store(out, type, i, ((float)codes[i] * scale) * QK_INT8_UNIT);
}

#endif
