#pragma STDC FP_CONTRACT OFF

#include "../generic/int8_row.h"
#include "neon.h"
#include "qk_dequantize_int8_rows.h"

#if defined(__aarch64__)

// Elements that are decoded together.
enum { GROUP = 8 };

/// Stores four elements.
INLINE void decode_4(int16x4_t codes, float scale, uint8_t *out, qk_float_type type) {
    float32x4_t n = vcvtq_f32_s32(vmovl_s16(codes));
    float32x4_t x = vmulq_n_f32(vmulq_n_f32(n, scale), QK_INT8_UNIT);
    if (type == QK_FLOAT32)
        vst1q_u8(out, vreinterpretq_u8_f32(x));
    else
        vst1_u8(out, vreinterpret_u8_u16(narrow_neon(x, type)));
}

INLINE void dequantize(const int8_t *codes, const float *scales, size_t row_count,
                       size_t column_count, uint8_t *out, qk_float_type type) {
    size_t size = qk_float_size(type);
    for (size_t row = 0; row < row_count; row++) {
        const int8_t *in = codes + row * column_count;
        uint8_t *row_out = out + row * column_count * size;
        size_t i = 0;
        // Other scales can give a NaN, and the vectors do not make it canonical.
        if ((qk_bits_of(scales[row]) & 0x7fffffff) < 0x7f800000)
            for (; i + GROUP <= column_count; i += GROUP) {
                int16x8_t group = vmovl_s8(vld1_s8(in + i));
                decode_4(vget_low_s16(group), scales[row], row_out + i * size, type);
                decode_4(vget_high_s16(group), scales[row], row_out + (i + 4) * size, type);
            }
        qk_dequantize_int8_run(in + i, scales[row], column_count - i, row_out + i * size, type);
    }
}

void qk_dequantize_int8_rows_neon(const void *codes, const float *scales, size_t row_count,
                                  size_t column_count, void *out, qk_float_type type,
                                  int streaming) {
    (void)streaming; // no such stores of whole vectors
    if (type == QK_FLOAT32)
        dequantize(codes, scales, row_count, column_count, out, QK_FLOAT32);
    else if (type == QK_BFLOAT16)
        dequantize(codes, scales, row_count, column_count, out, QK_BFLOAT16);
    else
        dequantize(codes, scales, row_count, column_count, out, QK_FLOAT16);
}

#endif
