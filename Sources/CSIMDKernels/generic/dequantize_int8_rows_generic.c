#pragma STDC FP_CONTRACT OFF

#include "int8_row.h"
#include "qk_dequantize_int8_rows.h"

void qk_dequantize_int8_rows_generic(const void *codes, const float *scales, size_t row_count,
                                     size_t column_count, void *out, qk_float_type type,
                                     int streaming) {
    (void)streaming;
    size_t size = qk_float_size(type);
    for (size_t row = 0; row < row_count; row++)
        qk_dequantize_int8_run((const int8_t *)codes + row * column_count, scales[row],
                               column_count, (char *)out + row * column_count * size, type);
}
