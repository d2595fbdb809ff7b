// Attention of qk_transformer.h; after transformer_loop.h.

#include "float_convert.h"

/// Rows of scores that are computed at once: twelve vectors of them.
enum { SCORE_ROWS = 12 * LANES / QK_KEY_BLOCK, BLOCK_VECTORS = QK_KEY_BLOCK / LANES };

INLINE_LANES const float *query_row(const qk_attention *a, size_t row) {
    return a->q + row / a->heads * a->q_stride + row % a->heads * a->d;
}

INLINE_LANES float *output_row(const qk_attention *a, size_t row) {
    return a->out + row / a->heads * a->q_stride + row % a->heads * a->d;
}

/// LANES keys or values, as float32.
INLINE_LANES vec load_stored(const void *from, size_t index, const qk_float_type type) {
    return type == QK_FLOAT32 ? load_lanes((const float *)from + index)
                              : load_bfloat16_lanes((const uint16_t *)from + index);
}

/// The number of rows from `row` on whose scores are computed at once.
INLINE_LANES size_t rows_at_once(size_t row, size_t rows) {
    return row + SCORE_ROWS <= rows ? SCORE_ROWS : row + 3 <= rows ? 3 : 1;
}

/// packed[row · d + i · count + r] = q[row + r][i]: what is multiplied with one key lies together.
TARGET static void pack_queries(const qk_attention *a, size_t rows, float *packed) {
    for (size_t row = 0, count; row < rows; row += count) {
        count = rows_at_once(row, rows);
        for (size_t r = 0; r < count; r++)
            for (size_t i = 0; i < a->d; i++)
                packed[row * a->d + i * count + r] = query_row(a, row + r)[i];
    }
}

/// scores[row][0 ..< QK_KEY_BLOCK] = q[row] · k of a block, for `count` <= SCORE_ROWS rows.
INLINE_LANES void score_block(const qk_attention *a, const float *q, const int count, size_t block,
                              float *scores, const qk_float_type type) {
    vec sums[SCORE_ROWS][BLOCK_VECTORS] = {};
    for (size_t i = 0; i < a->d; i++, q += count)
        for (int part = 0; part < BLOCK_VECTORS; part++) {
            size_t place = block * a->k_stride + i * QK_KEY_BLOCK + part * LANES;
            vec keys = load_stored(a->k, place, type);
            for (int row = 0; row < count; row++)
                sums[row][part] += q[row] * keys;
        }
    for (int row = 0; row < count; row++)
        for (int part = 0; part < BLOCK_VECTORS; part++)
            store_lanes(scores + row * QK_KEYS_AT_ONCE + part * LANES, sums[row][part] * a->scale);
}

/// Asks for keys and values, in whole blocks: a single token waits for memory more than for sums, and the parts of
/// a head lie scattered.
INLINE_LANES void prefetch_keys(const qk_attention *a, size_t first_key, size_t keys,
                                const qk_float_type type) {
    size_t size = qk_float_size(type), first = first_key / QK_KEY_BLOCK;
    for (size_t block = first; block < first + (keys + QK_KEY_BLOCK - 1) / QK_KEY_BLOCK; block++) {
        const char *keys = (const char *)a->k + block * a->k_stride * size;
        for (size_t byte = 0; byte < QK_KEY_BLOCK * a->d * size; byte += 64)
            __builtin_prefetch(keys + byte);
        for (size_t t = block * QK_KEY_BLOCK; t < (block + 1) * QK_KEY_BLOCK; t++) {
            const char *values = (const char *)a->v + t * a->v_stride * size;
            for (size_t byte = 0; byte < a->d * size; byte += 64)
                __builtin_prefetch(values + byte);
        }
    }
}

INLINE_LANES void score_rows(const qk_attention *a, const float *packed, size_t rows,
                             size_t first_key, size_t blocks, float *scores,
                             const qk_float_type type) {
    for (size_t block = 0; block < blocks; block++) {
        size_t own = first_key / QK_KEY_BLOCK + block;
        for (size_t row = 0, count; row < rows; row += count) {
            count = rows_at_once(row, rows);
            const float *q = packed + row * a->d;
            float *out = scores + row * QK_KEYS_AT_ONCE + block * QK_KEY_BLOCK;
            if (count == SCORE_ROWS)
                score_block(a, q, SCORE_ROWS, own, out, type);
            else if (count == 3)
                score_block(a, q, 3, own, out, type);
            else
                score_block(a, q, 1, own, out, type);
        }
    }
}

/// out[row][i ..< i + parts · LANES] += Σ p[row][t] v[t][i ...], for `count` rows.
INLINE_LANES void add_values(const qk_attention *a, size_t first, const int count, size_t i,
                             const int parts, size_t first_key, size_t keys, const float *p,
                             const qk_float_type type) {
    vec sums[3][4];
    for (int row = 0; row < count; row++)
        for (int part = 0; part < parts; part++)
            sums[row][part] = load_lanes(output_row(a, first + row) + i + part * LANES);
    for (size_t t = 0; t < keys; t++) {
        size_t place = (first_key + t) * a->v_stride + i;
        for (int part = 0; part < parts; part++) {
            vec values = load_stored(a->v, place + part * LANES, type);
            for (int row = 0; row < count; row++)
                sums[row][part] += p[row * QK_KEYS_AT_ONCE + t] * values;
        }
    }
    for (int row = 0; row < count; row++)
        for (int part = 0; part < parts; part++)
            store_lanes(output_row(a, first + row) + i + part * LANES, sums[row][part]);
}

INLINE_LANES void add_values_of_rows(const qk_attention *a, size_t first, const int count,
                                     size_t first_key, size_t keys, const float *p,
                                     const qk_float_type type) {
    size_t i = 0;
    for (; i + 4 * LANES <= a->d; i += 4 * LANES)
        add_values(a, first, count, i, 4, first_key, keys, p, type);
    for (; i + LANES <= a->d; i += LANES)
        add_values(a, first, count, i, 1, first_key, keys, p, type);
    for (; i < a->d; i++)
        for (int row = 0; row < count; row++) {
            float *sum = output_row(a, first + row) + i;
            for (size_t t = 0; t < keys; t++)
                *sum += p[row * QK_KEYS_AT_ONCE + t] *
                        qk_load(a->v, type, (first_key + t) * a->v_stride + i);
        }
}

/// Turns the scores of a row into weights of values: those of tokens that it does not see are 0. What
/// the row has summed up is scaled to the new maximum.
TARGET static void weigh_row(const qk_attention *a, size_t row, size_t first_key, float *scores,
                             float *maximum_so_far, float *sum_so_far) {
    size_t position = a->position + row / a->heads;
    size_t start = a->window && position + 1 > a->window ? position + 1 - a->window : 0;
    size_t from = start > first_key ? start - first_key : 0;
    size_t to = position + 1 > first_key ? position + 1 - first_key : 0;
    from = from < QK_KEYS_AT_ONCE ? from : QK_KEYS_AT_ONCE;
    to = to < QK_KEYS_AT_ONCE ? to : QK_KEYS_AT_ONCE;
    for (size_t t = 0; t < (from < to ? from : QK_KEYS_AT_ONCE); t++)
        scores[t] = 0;
    for (size_t t = to; t < QK_KEYS_AT_ONCE; t++)
        scores[t] = 0;
    if (from >= to)
        return;
    float largest = maximum(scores + from, to - from);
    largest = largest > *maximum_so_far ? largest : *maximum_so_far;
    float sum = (float)exponentials(scores + from, to - from, largest);
    float decay = expf(*maximum_so_far - largest);
    if (decay != 1) {
        float *out = output_row(a, row);
        for (size_t i = 0; i < a->d; i++)
            out[i] *= decay;
    }
    *sum_so_far = *sum_so_far * decay + sum;
    *maximum_so_far = largest;
}

INLINE_LANES size_t at_once(size_t keys) {
    return keys < QK_KEYS_AT_ONCE ? keys : QK_KEYS_AT_ONCE;
}

INLINE_LANES void attend_to(const qk_attention *a, const qk_float_type type) {
    size_t rows = a->queries * a->heads;
    float *scores = a->scratch, *packed = scores + rows * QK_KEYS_AT_ONCE;
    float *maxima = packed + rows * a->d, *sums = maxima + rows;
    for (size_t row = 0; row < rows; row++) {
        maxima[row] = -INFINITY;
        sums[row] = 0;
        memset(output_row(a, row), 0, a->d * sizeof(float));
    }
    pack_queries(a, rows, packed);
    size_t end = a->position + a->queries;
    size_t start = a->window && a->position + 1 > a->window ? a->position + 1 - a->window : 0;
    start -= start % QK_KEYS_AT_ONCE;
    if (a->queries == 1)
        prefetch_keys(a, start, at_once(end - start), type);
    for (size_t key = start; key < end; key += QK_KEYS_AT_ONCE) {
        size_t keys = at_once(end - key);
        if (a->queries == 1)
            prefetch_keys(a, key + keys, at_once(end - key - keys), type);
        size_t blocks = (keys + QK_KEY_BLOCK - 1) / QK_KEY_BLOCK;
        score_rows(a, packed, rows, key, blocks, scores, type);
        for (size_t row = 0; row < rows; row++)
            weigh_row(a, row, key, scores + row * QK_KEYS_AT_ONCE, maxima + row, sums + row);
        size_t row = 0;
        for (; row + 3 <= rows; row += 3)
            add_values_of_rows(a, row, 3, key, keys, scores + row * QK_KEYS_AT_ONCE, type);
        for (; row < rows; row++)
            add_values_of_rows(a, row, 1, key, keys, scores + row * QK_KEYS_AT_ONCE, type);
    }
    for (size_t row = 0; row < rows; row++) {
        float *out = output_row(a, row);
        for (size_t i = 0; i < a->d; i++)
            out[i] /= sums[row];
    }
}

TARGET static void attend(const qk_attention *a) {
    if (a->type == QK_FLOAT32)
        attend_to(a, QK_FLOAT32);
    else
        attend_to(a, QK_BFLOAT16);
}

static const qk_transformer_functions functions = {
    rms_norm, rotate, gate_silu, attend, maximum, exponentials,
};
