#ifndef QK_QUANTIZE_INT8_ROWS_H
#define QK_QUANTIZE_INT8_ROWS_H

#include "qk_types.h"
#include <stddef.h>

/// LLM.int8 weights. Each element is first rounded to float16: w = f16(x). Then for each row
///   scale = max |w|, s = fl(fl(1 / scale) * 127), code(i) = rint(fl(w[i] * s)), ties to even.
/// A row whose scale is zero, infinite or NaN has codes 0; the scale shows which.
///
/// input: row_count * column_count elements of `type`, row-major. codes: as many int8. scales:
/// row_count. Any alignment of input and codes; outputs overlap nothing.
typedef void qk_quantize_int8_rows_fn(const void *input, qk_float_type type, size_t row_count,
                                      size_t column_count, void *codes, float *scales);

typedef struct {
    qk_variant variant;
    qk_quantize_int8_rows_fn *function;
} qk_quantize_int8_rows_entry;

/// Returns the variants compiled for this architecture, best first, generic last.
const qk_quantize_int8_rows_entry *qk_quantize_int8_rows_entries(size_t *count);

#endif
