// Dense products of qk_multiply_dense.h; after vector_lanes.h. A file that includes this defines
//   ROWS, OUTPUTS   the sums that are kept in registers at once; where the weight lies transposed, OUTPUTS
//                   vectors of them
//   LOAD_WEIGHTS(address, type)   LANES elements as float32

#include "float_convert.h"
#include "qk_multiply_dense.h"

/// `outputs` outputs of `rows` rows, each a sum of vectors.
INLINE_LANES void multiply_tile(const qk_multiply_dense_arguments *a, size_t row, const int rows,
                                size_t output, const int outputs, const qk_float_type type) {
    size_t size = qk_float_size(type), k = a->k, i = 0;
    const float *x = a->x + row * a->x_stride;
    const char *w = (const char *)a->w + output * k * size;
    vec sums[ROWS][OUTPUTS] = {};
    for (; i + LANES <= k; i += LANES) {
        vec weights[OUTPUTS];
        for (int o = 0; o < outputs; o++)
            weights[o] = LOAD_WEIGHTS(w + (o * k + i) * size, type);
        for (int r = 0; r < rows; r++) {
            vec activations = load_lanes(x + r * a->x_stride + i);
            for (int o = 0; o < outputs; o++)
                sums[r][o] += activations * weights[o];
        }
    }
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < outputs; o++) {
            float sum = sum_of_lanes(sums[r][o]);
            for (size_t j = i; j < k; j++)
                sum += x[r * a->x_stride + j] * qk_load(w, type, o * k + j);
            float *y = a->y + (row + r) * a->y_stride + output + o;
            if (a->bias)
                sum += a->bias[output + o];
            *y = a->accumulates ? *y + sum : sum;
        }
}

/// So many tiles ahead of the one in use the weight is asked for.
enum { PREFETCH_TILES = 4 };

/// The same where the weight lies [k][n]: `outputs` vectors of sums, and each row of the weight is widened
/// once for all rows.
INLINE_LANES void multiply_tile_transposed(const qk_multiply_dense_arguments *a, size_t row,
                                           const int rows, size_t output, const int outputs,
                                           const qk_float_type type) {
    size_t size = qk_float_size(type);
    const float *x = a->x + row * a->x_stride;
    const char *w = (const char *)a->w + output * size;
    vec sums[ROWS][OUTPUTS] = {};
    for (size_t i = 0; i < a->k; i++, w += a->n * size)
        for (int o = 0; o < outputs; o++) {
            // Each row of a weight is a stream of its own, too many for the processor to foresee.
            __builtin_prefetch(w + (o + PREFETCH_TILES * outputs) * LANES * size);
            vec weights = LOAD_WEIGHTS(w + o * LANES * size, type);
            for (int r = 0; r < rows; r++)
                sums[r][o] += x[r * a->x_stride + i] * weights;
        }
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < outputs; o++) {
            size_t column = output + o * LANES;
            float *y = a->y + (row + r) * a->y_stride + column;
            vec sum = sums[r][o];
            if (a->bias)
                sum += load_lanes(a->bias + column);
            store_lanes(y, a->accumulates ? load_lanes(y) + sum : sum);
        }
}

/// Calls `tile` for all rows, with what stands behind its rows.
#define FOR_EACH_ROW_TILE(tile, a, ...)                                                            \
    do {                                                                                           \
        size_t row = 0;                                                                            \
        for (; row + ROWS <= (a)->rows; row += ROWS)                                               \
            tile(a, row, ROWS, __VA_ARGS__);                                                       \
        for (; row < (a)->rows; row++)                                                             \
            tile(a, row, 1, __VA_ARGS__);                                                          \
    } while (0)

/// What is asked for before a product begins; then the processor foresees the stream, and asking for more
/// would take a third of its rate.
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

/// Columns behind the last whole vector, in the same order.
INLINE_LANES void multiply_column(const qk_multiply_dense_arguments *a, size_t output,
                                  const qk_float_type type) {
    for (size_t row = 0; row < a->rows; row++) {
        float sum = 0, *y = a->y + row * a->y_stride + output;
        for (size_t i = 0; i < a->k; i++)
            sum += a->x[row * a->x_stride + i] * qk_load(a->w, type, i * a->n + output);
        if (a->bias)
            sum += a->bias[output];
        *y = a->accumulates ? *y + sum : sum;
    }
}

/// A weight of so many bytes stays in the cache while rows pass over it; of a larger one a few outputs
/// meet all rows.
enum { CACHED_WEIGHT_BYTES = 1 << 18 };

/// All outputs of a few rows.
INLINE_LANES void multiply_rows(const qk_multiply_dense_arguments *a, size_t row, const int rows,
                                const qk_float_type type) {
    size_t output = a->first_output;
    for (; output + OUTPUTS <= a->end_output; output += OUTPUTS)
        multiply_tile(a, row, rows, output, OUTPUTS, type);
    for (; output < a->end_output; output++)
        multiply_tile(a, row, rows, output, 1, type);
}

INLINE_LANES void multiply_outputs(const qk_multiply_dense_arguments *a, const qk_float_type type) {
    if (a->rows == 1) {
        multiply_one_row(a, type);
        return;
    }
    if ((a->end_output - a->first_output) * a->k * qk_float_size(type) <= CACHED_WEIGHT_BYTES) {
        FOR_EACH_ROW_TILE(multiply_rows, a, type);
        return;
    }
    size_t output = a->first_output;
    for (; output + OUTPUTS <= a->end_output; output += OUTPUTS)
        FOR_EACH_ROW_TILE(multiply_tile, a, output, OUTPUTS, type);
    for (; output < a->end_output; output++)
        FOR_EACH_ROW_TILE(multiply_tile, a, output, 1, type);
}

INLINE_LANES void multiply_outputs_transposed(const qk_multiply_dense_arguments *a,
                                              const qk_float_type type) {
    size_t output = a->first_output, size = qk_float_size(type);
    for (size_t i = 0; i < a->k; i++)
        for (int tile = 0; tile < PREFETCH_TILES; tile++)
            __builtin_prefetch((const char *)a->w +
                               (i * a->n + output + tile * OUTPUTS * LANES) * size);
    for (; output + OUTPUTS * LANES <= a->end_output; output += OUTPUTS * LANES)
        FOR_EACH_ROW_TILE(multiply_tile_transposed, a, output, OUTPUTS, type);
    for (; output + LANES <= a->end_output; output += LANES)
        FOR_EACH_ROW_TILE(multiply_tile_transposed, a, output, 1, type);
    for (; output < a->end_output; output++)
        multiply_column(a, output, type);
}

/// Calls `outputs` with the type as a constant.
#define FOR_TYPE(outputs, a)                                                                       \
    if ((a)->type == QK_FLOAT32)                                                                   \
        outputs(a, QK_FLOAT32);                                                                    \
    else if ((a)->type == QK_BFLOAT16)                                                             \
        outputs(a, QK_BFLOAT16);                                                                   \
    else                                                                                           \
        outputs(a, QK_FLOAT16);

TARGET static void multiply_dense(const qk_multiply_dense_arguments *a) {
    FOR_TYPE(multiply_outputs, a)
}

TARGET static void multiply_dense_transposed(const qk_multiply_dense_arguments *a) {
    FOR_TYPE(multiply_outputs_transposed, a)
}
