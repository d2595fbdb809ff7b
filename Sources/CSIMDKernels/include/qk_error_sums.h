#ifndef QK_ERROR_SUMS_H
#define QK_ERROR_SUMS_H

#include "qk_types.h"
#include <stddef.h>

/// Sums over pairs of finite elements, and counts; d = x - y in float64.
typedef struct {
    uint64_t count;            // finite pairs
    uint64_t non_finite_count; // the other pairs, which take no part in anything else
    double square_sum;         // of x^2
    double error_square_sum;   // of d^2
    double error_sum;          // of |d|
    double maximum;            // of |x|
    double error_maximum;      // of |d|
    uint64_t error_index;      // the first element with it; 0 if count is 0
    uint64_t sign_flip_count;  // pairs of opposite sign, neither zero; not finite ones included
    uint64_t lost_count;       // pairs with y zero and x not; not finite ones included
} qk_error_sums;

/// Fills `sums` over x[i] and y[i] for 0 <= i < count. Each sum has eight partial sums in float64: the
/// one of number i % 8 takes element i, in order. They are added as
/// ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)).
///
/// x, y: count elements of their type, any alignment.
typedef void qk_error_sums_fn(const void *x, qk_float_type x_type, const void *y,
                              qk_float_type y_type, size_t count, qk_error_sums *sums);

typedef struct {
    qk_variant variant;
    qk_error_sums_fn *function;
} qk_error_sums_entry;

/// Returns the variants compiled for this architecture, best first, generic last.
const qk_error_sums_entry *qk_error_sums_entries(size_t *count);

#endif
