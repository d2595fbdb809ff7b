// Dense products of qk_multiply_dense.h; after vector_lanes.h. A file that includes this defines
//   ROWS, OUTPUTS   the sums that are kept in registers at once
//   LOAD_WEIGHTS(address, type)   LANES elements as float32

#include "float_convert.h"
#include "qk_multiply_dense.h"

INLINE_LANES void multiply_tile(const qk_multiply_dense_arguments *a, size_t row, const int rows,
                                size_t output, const int outputs, const qk_float_type type) {
    size_t size = qk_float_size(type), k = a->k, i = 0;
    const float *x = a->x + row * k;
    const char *w = (const char *)a->w + output * k * size;
    vec sums[ROWS][OUTPUTS] = {};
    for (; i + LANES <= k; i += LANES) {
        vec weights[OUTPUTS];
        for (int o = 0; o < outputs; o++)
            weights[o] = LOAD_WEIGHTS(w + (o * k + i) * size, type);
        for (int r = 0; r < rows; r++) {
            vec activations = load_lanes(x + r * k + i);
            for (int o = 0; o < outputs; o++)
                sums[r][o] += activations * weights[o];
        }
    }
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < outputs; o++) {
            float sum = sum_of_lanes(sums[r][o]);
            for (size_t j = i; j < k; j++)
                sum += x[r * k + j] * qk_load(w, type, o * k + j);
            float *y = a->y + (row + r) * a->n + output + o;
            if (a->bias)
                sum += a->bias[output + o];
            *y = a->accumulates ? *y + sum : sum;
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

/// So far ahead of the weights in use the next are asked for.
enum { PREFETCH_BYTES = 4096 };

/// One row of activations: the weights are read once, as one stream, four vectors of a row at a time.
INLINE_LANES void multiply_one_row(const qk_multiply_dense_arguments *a, const qk_float_type type) {
    size_t size = qk_float_size(type), k = a->k;
    const char *first = (const char *)a->w + a->first_output * k * size;
    for (size_t byte = 0; byte < PREFETCH_BYTES; byte += 64)
        __builtin_prefetch(first + byte);
    for (size_t output = a->first_output; output < a->end_output; output++) {
        const char *w = (const char *)a->w + output * k * size;
        vec sums[4] = {};
        size_t i = 0;
        for (; i + 4 * LANES <= k; i += 4 * LANES)
            for (int part = 0; part < 4; part++) {
                size_t place = i + part * LANES;
                __builtin_prefetch(w + place * size + PREFETCH_BYTES);
                sums[part] += load_lanes(a->x + place) * LOAD_WEIGHTS(w + place * size, type);
            }
        for (; i + LANES <= k; i += LANES)
            sums[0] += load_lanes(a->x + i) * LOAD_WEIGHTS(w + i * size, type);
        float sum = sum_of_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
        for (; i < k; i++)
            sum += a->x[i] * qk_load(w, type, i);
        if (a->bias)
            sum += a->bias[output];
        a->y[output] = a->accumulates ? a->y[output] + sum : sum;
    }
}

INLINE_LANES void multiply_outputs(const qk_multiply_dense_arguments *a, const qk_float_type type) {
    if (a->rows == 1) {
        multiply_one_row(a, type);
        return;
    }
    size_t output = a->first_output;
    for (; output + OUTPUTS <= a->end_output; output += OUTPUTS)
        multiply_rows(a, output, OUTPUTS, type);
    for (; output < a->end_output; output++)
        multiply_rows(a, output, 1, type);
}

TARGET static void multiply_dense(const qk_multiply_dense_arguments *a) {
    if (a->type == QK_FLOAT32)
        multiply_outputs(a, QK_FLOAT32);
    else if (a->type == QK_BFLOAT16)
        multiply_outputs(a, QK_BFLOAT16);
    else
        multiply_outputs(a, QK_FLOAT16);
}
