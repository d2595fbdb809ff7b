#pragma STDC FP_CONTRACT OFF

#include "../generic/int8_row.h"
#include "neon.h"

#if defined(__aarch64__)

// Elements that are quantized together.
enum { GROUP = 16 };

INLINE void quantize_row(const char *input, qk_float_type type, size_t count, float factor,
                         int8_t *codes) {
    size_t size = qk_float_size(type), i = 0;
    for (; i + GROUP <= count; i += GROUP) {
        int16x4_t n[4];
        for (int j = 0; j < 4; j++) {
            float32x4_t w = load_neon(input + (i + 4 * j) * size, type);
            if (type != QK_FLOAT16)
                w = vcvt_f32_f16(vcvt_f16_f32(w));
            n[j] = vmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(w, factor)));
        }
        vst1q_s8(codes + i, vcombine_s8(vmovn_s16(vcombine_s16(n[0], n[1])),
                                        vmovn_s16(vcombine_s16(n[2], n[3]))));
    }
    qk_quantize_int8_run(input + i * size, type, count - i, factor, codes + i);
}

#define TARGET
#define find_absmax absmax_neon
#include "../generic/quantize_int8_rows_loop.h"

void qk_quantize_int8_rows_neon(const void *input, qk_float_type type, size_t row_count,
                                size_t column_count, void *codes, float *scales) {
    quantize_all(input, type, row_count, column_count, codes, scales);
}

#endif
