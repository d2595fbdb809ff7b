// The conversion, the same in every vector variant. A variant includes this file once, after it has
// defined:
//   TARGET   the attribute that sets its instruction set; INLINE
//   load_8(input, type, x), which widens eight elements to the qk_f32x8 at x
//   narrow_f16_8(x, halves), which rounds them to float16
// It then has convert_all.

#include "convert_float_element.h"
#include "vector8.h"

// Elements between two sums of the counters, which have 32 bits.
enum { CHUNK = 1 << 20 };

TARGET INLINE void convert_elements(const char *in, qk_float_type in_type, size_t count, char *out,
                                    qk_float_type out_type, qk_convert_counts *counts) {
    size_t in_size = qk_float_size(in_type), out_size = qk_float_size(out_type);
    size_t body = count & ~(size_t)7;
    uint32_t first_infinite = qk_first_infinite(out_type), last_zero = qk_last_zero(out_type);
    for (size_t start = 0; start < body;) {
        size_t end = body - start < CHUNK ? body : start + CHUNK;
        qk_u32x8 overflow = {0}, underflow = {0}; // minus the counts
        for (size_t i = start; i < end; i += 8) {
            qk_f32x8 x;
            load_8(in + i * in_size, in_type, &x);
            qk_u32x8 bits = (qk_u32x8)x, magnitude = bits & 0x7fffffff;
            if (out_type == QK_FLOAT32) {
                __builtin_memcpy(out + i * 4, &bits, sizeof bits);
                continue;
            }
            overflow += (qk_u32x8)(magnitude - first_infinite < 0x7f800000 - first_infinite);
            underflow += (qk_u32x8)(magnitude - 1 < last_zero);
            qk_u16x8 halves;
            if (out_type == QK_BFLOAT16) {
                qk_u32x8 nan = (qk_u32x8)(magnitude > 0x7f800000);
                qk_u32x8 rounded = bits + 0x7fff + (bits >> 16 & 1);
                rounded = (rounded & ~nan) | ((bits | 0x400000) & nan);
                halves = __builtin_convertvector(rounded >> 16, qk_u16x8);
            } else {
                narrow_f16_8(&x, &halves);
            }
            __builtin_memcpy(out + i * out_size, &halves, sizeof halves);
        }
        for (int l = 0; l < 8; l++) {
            counts->overflow_count += -overflow[l];
            counts->underflow_count += -underflow[l];
        }
        start = end;
    }
    qk_convert_range(in, in_type, body, count, out, out_type, counts);
}

/// Compiles the loop for each pair of types and calls the right one.
TARGET INLINE void convert_all(const void *in, qk_float_type in_type, size_t count, void *out,
                               qk_float_type out_type, qk_convert_counts *counts) {
    *counts = (qk_convert_counts){0};
#define CONVERT(in_type, out_type) convert_elements(in, in_type, count, out, out_type, counts)
    if (in_type == out_type) {
        if (count > 0)
            memcpy(out, in, count * qk_float_size(in_type));
    } else if (in_type == QK_FLOAT32) {
        out_type == QK_BFLOAT16 ? CONVERT(QK_FLOAT32, QK_BFLOAT16)
                                : CONVERT(QK_FLOAT32, QK_FLOAT16);
    } else if (in_type == QK_BFLOAT16) {
        out_type == QK_FLOAT32 ? CONVERT(QK_BFLOAT16, QK_FLOAT32)
                               : CONVERT(QK_BFLOAT16, QK_FLOAT16);
    } else {
        out_type == QK_FLOAT32 ? CONVERT(QK_FLOAT16, QK_FLOAT32)
                               : CONVERT(QK_FLOAT16, QK_BFLOAT16);
    }
#undef CONVERT
}
