#ifndef QK_COUNT_NON_FINITE_H
#define QK_COUNT_NON_FINITE_H

#include "qk_types.h"
#include <stddef.h>

/// Returns how many elements are NaN or infinite.
///
/// in: count elements of their type, any alignment.
typedef size_t qk_count_non_finite_fn(const void *in, qk_float_type type, size_t count);

typedef struct {
    qk_variant variant;
    qk_count_non_finite_fn *function;
} qk_count_non_finite_entry;

/// Returns the variants compiled for this architecture, best first, generic last.
const qk_count_non_finite_entry *qk_count_non_finite_entries(size_t *count);

#endif
