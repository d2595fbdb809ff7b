#ifndef QK_DEQUANTIZE_INT8_ROWS_H
#define QK_DEQUANTIZE_INT8_ROWS_H

#include "qk_types.h"
#include <stddef.h>

/// out[r, c] = round_type(fl(fl(codes[r, c] * scales[r]) * fl(1 / 127))). A NaN comes out as the
/// positive quiet one without payload.
///
/// codes: row_count * column_count int8, row-major. scales: row_count. out: as many elements of
/// `type` as codes. Any alignment of codes and out; out overlaps nothing. streaming: as in
/// qk_dequantize_4bit.h.
typedef void qk_dequantize_int8_rows_fn(const void *codes, const float *scales, size_t row_count,
                                        size_t column_count, void *out, qk_float_type type,
                                        int streaming);

typedef struct {
    qk_variant variant;
    qk_dequantize_int8_rows_fn *function;
} qk_dequantize_int8_rows_entry;

/// Returns the variants compiled for this architecture, best first, generic last.
const qk_dequantize_int8_rows_entry *qk_dequantize_int8_rows_entries(size_t *count);

#endif
