#pragma STDC FP_CONTRACT OFF

#include "int8_row.h"
#include "qk_dequantize_int8_rows.h"

void qk_dequantize_int8_rows_generic(const void *codes, const float *scales, size_t row_count,
                                     size_t column_count, void *out, qk_float_type type,
                                     int streaming) {
    (void)streaming;
    const int8_t *in = codes;
    for (size_t row = 0; row < row_count; row++)
        for (size_t i = row * column_count; i < (row + 1) * column_count; i++)
            qk_store(out, type, i, ((float)in[i] * scales[row]) * QK_INT8_UNIT);
}
