#ifndef QK_MULTIPLY_DENSE_H
#define QK_MULTIPLY_DENSE_H

#include "qk_types.h"
#include <stddef.h>

/// y[m, n] = Σ_k x[m, k] w[n, k] (+ bias[n]) (+ y[m, n]) for first_output <= n < end_output, with w
/// widened exactly to float32 and every product and sum one fused multiply-add where the variant has
/// them. The order of a sum depends on k, and on whether there is one row. Transposed, the weight lies as
/// w[k, n], and sums are in the order of k.
typedef struct {
    const void *w; // n rows of k elements; transposed, k rows of n
    qk_float_type type;
    size_t n, k;
    const float *x; // rows of k numbers, one every x_stride
    size_t x_stride;
    size_t rows;
    float *y; // rows of n numbers, one every y_stride
    size_t y_stride;
    const float *bias; // n numbers, or null
    int accumulates;
    size_t first_output, end_output;
} qk_multiply_dense_arguments;

typedef void qk_multiply_dense_fn(const qk_multiply_dense_arguments *arguments);

typedef struct {
    qk_variant variant;
    qk_multiply_dense_fn *function;
} qk_multiply_dense_entry;

/// Return the variants compiled for this architecture, best first, generic last.
const qk_multiply_dense_entry *qk_multiply_dense_entries(size_t *count);
const qk_multiply_dense_entry *qk_multiply_dense_transposed_entries(size_t *count);

#endif
