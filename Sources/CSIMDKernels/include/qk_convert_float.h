#ifndef QK_CONVERT_FLOAT_H
#define QK_CONVERT_FLOAT_H

#include "qk_types.h"
#include <stddef.h>

/// What rounding lost.
typedef struct {
    uint64_t overflow_count;  // finite elements that became infinite
    uint64_t underflow_count; // elements other than 0 that became 0
} qk_convert_counts;

/// out[i] = in[i] rounded to `out_type`, to nearest, ties to even. A NaN keeps its sign and the upper
/// bits of its payload, and becomes quiet unless all its bits are kept (from a type to itself, and
/// from bfloat16 to float32).
///
/// in, out: count elements of their type, any alignment; out overlaps nothing.
typedef void qk_convert_float_fn(const void *in, qk_float_type in_type, size_t count, void *out,
                                 qk_float_type out_type, qk_convert_counts *counts);

typedef struct {
    qk_variant variant;
    qk_convert_float_fn *function;
} qk_convert_float_entry;

/// Returns the variants compiled for this architecture, best first, generic last.
const qk_convert_float_entry *qk_convert_float_entries(size_t *count);

#endif
