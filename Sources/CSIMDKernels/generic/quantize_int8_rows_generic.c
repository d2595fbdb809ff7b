#pragma STDC FP_CONTRACT OFF

#include "absmax_bits.h"
#include "int8_row.h"
#include "qk_quantize_int8_rows.h"

void qk_quantize_int8_rows_generic(const void *input, qk_float_type type, size_t row_count,
                                   size_t column_count, void *codes, float *scales) {
    size_t size = qk_float_size(type);
    for (size_t row = 0; row < row_count; row++) {
        const char *in = (const char *)input + row * column_count * size;
        int8_t *out = (int8_t *)codes + row * column_count;
        scales[row] = qk_int8_row_scale(qk_absmax_value(qk_absmax_bits(in, type, 0, column_count)));
        float factor;
        if (qk_int8_row_factor(scales[row], &factor))
            qk_quantize_int8_run(in, type, column_count, factor, out);
        else if (column_count > 0)
            memset(out, 0, column_count);
    }
}
