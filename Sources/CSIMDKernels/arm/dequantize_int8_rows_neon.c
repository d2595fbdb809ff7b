#pragma STDC FP_CONTRACT OFF

#include "neon.h"

#if defined(__aarch64__)

// Elements that are decoded together.
enum { GROUP = 8, ALIGNMENT = 1 };

/// Stores four elements.
INLINE void decode_4(int16x4_t codes, float scale, qk_float_type type, char *out) {
    float32x4_t n = vcvtq_f32_s32(vmovl_s16(codes));
    float32x4_t x = vmulq_n_f32(vmulq_n_f32(n, scale), QK_INT8_UNIT);
    if (type == QK_FLOAT32)
        vst1q_u8((uint8_t *)out, vreinterpretq_u8_f32(x));
    else
        vst1_u8((uint8_t *)out, vreinterpret_u8_u16(narrow_neon(x, type)));
}

/// There are no streaming stores of whole vectors.
INLINE void decode_group(const int8_t *codes, float scale, qk_float_type type, char *out,
                         int streaming) {
    (void)streaming;
    int16x8_t group = vmovl_s8(vld1_s8(codes));
    decode_4(vget_low_s16(group), scale, type, out);
    decode_4(vget_high_s16(group), scale, type, out + 4 * qk_float_size(type));
}

#define TARGET
#include "../generic/dequantize_int8_rows_loop.h"

void qk_dequantize_int8_rows_neon(const void *codes, const float *scales, size_t row_count,
                                  size_t column_count, void *out, qk_float_type type,
                                  int streaming) {
    (void)streaming;
    dequantize_all(codes, scales, row_count, column_count, out, type, 0);
}

#endif
