// Dense products with a weight that lies [k][n], of qk_multiply_dense.h; after vector_lanes.h. A file that
// includes this defines
//   ROWS, OUTPUTS   the sums that are kept in registers at once, OUTPUTS of them in vectors
//   LOAD_WEIGHTS(address, type)   LANES elements as float32

#include "float_convert.h"
#include "qk_multiply_dense.h"

/// So many tiles ahead of the one in use the weight is asked for.
enum { PREFETCH_TILES = 4 };

/// `outputs` vectors of sums for `rows` rows: each row of the weight is widened once for all of them.
INLINE_LANES void multiply_tile(const qk_multiply_dense_arguments *a, size_t row, const int rows,
                                size_t output, const int outputs, const qk_float_type type) {
    size_t size = qk_float_size(type);
    const float *x = a->x + row * a->k;
    const char *w = (const char *)a->w + output * size;
    vec sums[ROWS][OUTPUTS] = {};
    for (size_t i = 0; i < a->k; i++, w += a->n * size)
        for (int o = 0; o < outputs; o++) {
            // Each row of a weight is a stream of its own, too many for the processor to foresee.
            __builtin_prefetch(w + (o + PREFETCH_TILES * outputs) * LANES * size);
            vec weights = LOAD_WEIGHTS(w + o * LANES * size, type);
            for (int r = 0; r < rows; r++)
                sums[r][o] += x[r * a->k + i] * weights;
        }
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < outputs; o++) {
            size_t column = output + o * LANES;
            float *y = a->y + (row + r) * a->n + column;
            vec sum = sums[r][o];
            if (a->bias)
                sum += load_lanes(a->bias + column);
            store_lanes(y, a->accumulates ? load_lanes(y) + sum : sum);
        }
}

INLINE_LANES void multiply_rows(const qk_multiply_dense_arguments *a, size_t output,
                                const int outputs, const qk_float_type type) {
    size_t row = 0;
    for (; row + ROWS <= a->rows; row += ROWS)
        multiply_tile(a, row, ROWS, output, outputs, type);
    for (; row < a->rows; row++)
        multiply_tile(a, row, 1, output, outputs, type);
}

/// Columns behind the last whole vector, in the same order.
INLINE_LANES void multiply_column(const qk_multiply_dense_arguments *a, size_t output,
                                  const qk_float_type type) {
    for (size_t row = 0; row < a->rows; row++) {
        float sum = 0, *y = a->y + row * a->n + output;
        for (size_t i = 0; i < a->k; i++)
            sum += a->x[row * a->k + i] * qk_load(a->w, type, i * a->n + output);
        if (a->bias)
            sum += a->bias[output];
        *y = a->accumulates ? *y + sum : sum;
    }
}

INLINE_LANES void multiply_outputs(const qk_multiply_dense_arguments *a, const qk_float_type type) {
    size_t output = a->first_output, size = qk_float_size(type);
    for (size_t i = 0; i < a->k; i++)
        for (int tile = 0; tile < PREFETCH_TILES; tile++)
            __builtin_prefetch((const char *)a->w +
                               (i * a->n + output + tile * OUTPUTS * LANES) * size);
    for (; output + OUTPUTS * LANES <= a->end_output; output += OUTPUTS * LANES)
        multiply_rows(a, output, OUTPUTS, type);
    for (; output + LANES <= a->end_output; output += LANES)
        multiply_rows(a, output, 1, type);
    for (; output < a->end_output; output++)
        multiply_column(a, output, type);
}

TARGET static void multiply_dense_transposed(const qk_multiply_dense_arguments *a) {
    if (a->type == QK_FLOAT32)
        multiply_outputs(a, QK_FLOAT32);
    else if (a->type == QK_BFLOAT16)
        multiply_outputs(a, QK_BFLOAT16);
    else
        multiply_outputs(a, QK_FLOAT16);
}
