#ifndef QK_CONVERT_FLOAT_ELEMENT_H
#define QK_CONVERT_FLOAT_ELEMENT_H

#include "float_convert.h"
#include "qk_convert_float.h"

// Magnitudes of float32 from which a type rounds to infinity, and up to which to zero.
static inline uint32_t qk_first_infinite(qk_float_type type) {
    return type == QK_BFLOAT16 ? 0x7f7f8000 : type == QK_FLOAT16 ? 0x477ff000 : 0x7f800000;
}
static inline uint32_t qk_last_zero(qk_float_type type) {
    return type == QK_BFLOAT16 ? 0x00008000 : type == QK_FLOAT16 ? 0x33000000 : 0;
}

/// Converts elements start ..< count and adds to the counts.
static inline void qk_convert_range(const void *in, qk_float_type in_type, size_t start,
                                    size_t count, void *out, qk_float_type out_type,
                                    qk_convert_counts *counts) {
    for (size_t i = start; i < count; i++) {
        uint32_t bits = qk_load_bits(in, in_type, i), magnitude = bits & 0x7fffffff;
        counts->overflow_count +=
            magnitude >= qk_first_infinite(out_type) && magnitude < 0x7f800000;
        counts->underflow_count += magnitude != 0 && magnitude <= qk_last_zero(out_type);
        if (out_type == QK_FLOAT32) {
            memcpy((char *)out + 4 * i, &bits, 4);
        } else {
            uint16_t half = out_type == QK_BFLOAT16 ? qk_narrow_bf16(bits) : qk_narrow_f16(bits);
            memcpy((char *)out + 2 * i, &half, 2);
        }
    }
}

#endif
