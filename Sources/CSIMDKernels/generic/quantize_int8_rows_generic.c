#pragma STDC FP_CONTRACT OFF

#include "absmax_bits.h"
#include "int8_row.h"
#include "qk_quantize_int8_rows.h"
#include <math.h>

void qk_quantize_int8_rows_generic(const void *input, qk_float_type type, size_t row_count,
                                   size_t column_count, void *codes, float *scales) {
    for (size_t row = 0; row < row_count; row++) {
        size_t start = row * column_count;
        int8_t *out = (int8_t *)codes + start;
        scales[row] = qk_int8_row_scale(qk_absmax_bits(input, type, start, column_count));
        float factor;
        if (!qk_int8_row_factor(scales[row], &factor)) {
            memset(out, 0, column_count);
            continue;
        }
        for (size_t i = 0; i < column_count; i++) {
            uint32_t bits = qk_load_bits(input, type, start + i);
            float w = qk_float_of(qk_widen_f16(qk_narrow_f16(bits)));
            out[i] = (int8_t)rintf(w * factor);
        }
    }
}
