// The loop over rows, the same in every vector variant. A variant includes this file once, after it has
// defined:
//   TARGET       the attribute that sets its instruction set; INLINE
//   find_absmax(input, type, count)                a NaN or an infinity shows
//   quantize_row(input, type, count, factor, codes)      codes of a row that is not all zeros
// It then has quantize_all.

#include "constant_type.h"
#include "int8_row.h"
#include "qk_quantize_int8_rows.h"
#include <string.h>

TARGET INLINE void quantize_rows(const char *input, qk_float_type type, size_t row_count,
                                 size_t column_count, int8_t *codes, float *scales) {
    size_t row_size = column_count * qk_float_size(type);
    for (size_t row = 0; row < row_count; row++, input += row_size, codes += column_count) {
        float factor;
        scales[row] = qk_int8_row_scale(find_absmax(input, type, column_count));
        if (qk_int8_row_factor(scales[row], &factor))
            quantize_row(input, type, column_count, factor, codes);
        else if (column_count > 0)
            memset(codes, 0, column_count);
    }
}

/// Compiles the loop for each type and calls the right one.
TARGET INLINE void quantize_all(const void *input, qk_float_type type, size_t row_count,
                                size_t column_count, void *codes, float *scales) {
#define QUANTIZE(type) quantize_rows(input, type, row_count, column_count, codes, scales)
    FOR_CONSTANT_TYPE(type, QUANTIZE)
#undef QUANTIZE
}
