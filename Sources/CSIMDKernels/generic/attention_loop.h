// Attention of qk_transformer.h; after transformer_loop.h and attention_pairs.h.

/// Rows of scores, and of values, that are computed at once: as many as there are registers for.
enum {
    SCORE_ROWS = 12 * LANES / QK_KEY_BLOCK,
    VALUE_ROWS = LANES == 16 ? 6 : 3,
    BLOCK_VECTORS = QK_KEY_BLOCK / LANES,
};

INLINE_LANES size_t pair_count(size_t numbers) { return (numbers + 1) / 2; }

/// Channels 2 · pair and 2 · pair + 1 of LANES keys of a block.
INLINE_LANES pairs load_keys(const qk_attention *a, size_t block, size_t pair, int part,
                             const qk_float_type type) {
    size_t place = block * a->k_stride + 2 * pair * QK_KEY_BLOCK;
#if !defined(DOT_PAIRS)
    if (type == QK_FLOAT32) {
        const float *keys = (const float *)a->k + place + part * LANES;
        vec second = {};
        if (2 * pair + 1 < a->d)
            second = load_lanes(keys + QK_KEY_BLOCK);
        return (pairs){load_lanes(keys), second};
    }
#endif
    (void)type;
    return load_pairs(a->k, place + 2 * part * LANES);
}

/// Channels from i on of tokens t and t + 1, of which the second may be none; t is even.
INLINE_LANES pairs load_values(const qk_attention *a, size_t t, size_t i, const int has_second,
                               const qk_float_type type) {
    size_t place = t * a->v_stride;
#if !defined(DOT_PAIRS)
    if (type == QK_FLOAT32) {
        const float *values = (const float *)a->v + place + i;
        vec second = {};
        if (has_second)
            second = load_lanes(values + a->v_stride);
        return (pairs){load_lanes(values), second};
    }
#endif
    (void)type, (void)has_second;
    return load_pairs(a->v, place + 2 * i);
}

/// The number of rows from `row` on whose scores are computed at once.
INLINE_LANES size_t rows_at_once(size_t row, size_t rows) {
    return row + SCORE_ROWS <= rows ? SCORE_ROWS : row + 3 <= rows ? 3 : 1;
}

/// to[i · count] = pair i of a query.
INLINE_LANES void pack_query(const float *q, size_t d, size_t count, factor *to,
                             const qk_float_type type) {
    (void)type;
    size_t i = 0;
#if defined(DOT_PAIRS)
    for (; 2 * (i + LANES) <= d; i += LANES) {
        factor rounded[LANES];
        ROUND_PAIRS(q + 2 * i, rounded);
        for (int j = 0; j < LANES; j++)
            to[(i + j) * count] = rounded[j];
    }
#endif
    for (; i < pair_count(d); i++) {
        float first = q[2 * i], second = 2 * i + 1 < d ? q[2 * i + 1] : 0;
#if defined(DOT_PAIRS)
        to[i * count] = factor_of(first, second);
#else
        if (type == QK_BFLOAT16)
            first = qk_rounded_to_bf16(first), second = qk_rounded_to_bf16(second);
        to[i * count] = (factor){first, second};
#endif
    }
}

/// packed[row · pairs + i · count + r] = pair i of q[row + r]: what is multiplied with one key lies
/// together. A row is a head of a query.
INLINE_LANES void pack_queries(const qk_attention *a, size_t rows, factor *packed,
                               const qk_float_type type) {
    size_t group = 0, count = rows_at_once(0, rows);
    for (size_t row = 0; row < rows; row++) {
        if (row == group + count) {
            group = row;
            count = rows_at_once(row, rows);
        }
        const float *q = a->q + row / a->heads * a->q_stride + row % a->heads * a->d;
        pack_query(q, a->d, count, packed + group * pair_count(a->d) + row - group, type);
    }
}

/// scores[row][0 ..< QK_KEY_BLOCK] = q[row] · k of a block, for `count` <= SCORE_ROWS rows.
INLINE_LANES void score_block(const qk_attention *a, const factor *q, const int count, size_t block,
                              float *scores, const qk_float_type type) {
    vec sums[SCORE_ROWS][BLOCK_VECTORS] = {};
    for (size_t i = 0; i < pair_count(a->d); i++, q += count)
        for (int part = 0; part < BLOCK_VECTORS; part++) {
            pairs keys = load_keys(a, block, i, part, type);
            for (int row = 0; row < count; row++)
                sums[row][part] = add_products(sums[row][part], keys, q[row]);
        }
    for (int row = 0; row < count; row++)
        for (int part = 0; part < BLOCK_VECTORS; part++)
            store_lanes(scores + row * QK_KEYS_AT_ONCE + part * LANES, sums[row][part] * a->scale);
}

/// Asks for keys and values, in whole blocks: a single token waits for memory more than for sums, and the
/// parts of a head lie scattered.
INLINE_LANES void prefetch_keys(const qk_attention *a, size_t first_key, size_t keys,
                                const qk_float_type type) {
    size_t size = qk_float_size(type), first = first_key / QK_KEY_BLOCK;
    for (size_t block = first; block < first + (keys + QK_KEY_BLOCK - 1) / QK_KEY_BLOCK; block++) {
        const char *keys = (const char *)a->k + block * a->k_stride * size;
        for (size_t byte = 0; byte < QK_KEY_BLOCK * a->d * size; byte += 64)
            __builtin_prefetch(keys + byte);
        for (size_t t = block * QK_KEY_BLOCK; t < (block + 1) * QK_KEY_BLOCK; t += 2) {
            const char *values = (const char *)a->v + t * a->v_stride * size;
            const char *second = type == QK_FLOAT32 ? values + a->v_stride * size : values + a->d * size;
            for (size_t byte = 0; byte < a->d * size; byte += 64) {
                __builtin_prefetch(values + byte);
                __builtin_prefetch(second + byte);
            }
        }
    }
}

INLINE_LANES void score_rows(const qk_attention *a, const factor *packed, size_t rows,
                             size_t first_key, size_t blocks, float *scores,
                             const qk_float_type type) {
    for (size_t block = 0; block < blocks; block++) {
        size_t own = first_key / QK_KEY_BLOCK + block;
        for (size_t row = 0, count; row < rows; row += count) {
            count = rows_at_once(row, rows);
            const factor *q = packed + row * pair_count(a->d);
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
INLINE_LANES void add_values(const qk_attention *a, float *out, const int count, size_t i,
                             const int parts, size_t first_key, size_t keys, const float *p,
                             const qk_float_type type) {
    vec sums[VALUE_ROWS][4];
    for (int row = 0; row < count; row++)
        for (int part = 0; part < parts; part++)
            sums[row][part] = load_lanes(out + row * a->d + i + part * LANES);
    for (size_t t = 0; t < keys; t += 2)
        for (int part = 0; part < parts; part++) {
            pairs values = load_values(a, first_key + t, i + part * LANES, t + 1 < keys, type);
            for (int row = 0; row < count; row++) {
                const factor *own = (const factor *)(p + row * QK_KEYS_AT_ONCE);
                sums[row][part] = add_products(sums[row][part], values, own[t / 2]);
            }
        }
    for (int row = 0; row < count; row++)
        for (int part = 0; part < parts; part++)
            store_lanes(out + row * a->d + i + part * LANES, sums[row][part]);
}

/// One channel of LANES, as add_values has it.
INLINE_LANES void add_channel(const qk_attention *a, float *sum, size_t i, size_t first_key,
                              size_t keys, const float *p, const qk_float_type type) {
    for (size_t t = 0; t < keys; t++) {
        size_t token = first_key + t;
        size_t place = type == QK_FLOAT32
                           ? token * a->v_stride + i
                           : token / 2 * 2 * a->v_stride + 2 * i + token % 2;
#if defined(DOT_PAIRS)
        float weight = qk_load(p, QK_BFLOAT16, t);
#else
        float weight = p[t];
#endif
        *sum += weight * qk_load(a->v, type, place);
    }
}

INLINE_LANES void add_values_of_rows(const qk_attention *a, float *out, const int count,
                                     size_t first_key, size_t keys, const float *p,
                                     const qk_float_type type) {
    size_t i = 0;
    for (; i + 4 * LANES <= a->d; i += 4 * LANES)
        add_values(a, out, count, i, 4, first_key, keys, p, type);
    for (; i + LANES <= a->d; i += LANES)
        add_values(a, out, count, i, 1, first_key, keys, p, type);
    for (; i < a->d; i++)
        for (int row = 0; row < count; row++)
            add_channel(a, out + row * a->d + i, i, first_key, keys, p + row * QK_KEYS_AT_ONCE, type);
}

/// What a row has summed up.
typedef struct {
    float *maximum; // of scores
    float *weights; // LANES sums of them
    float *out;     // values
} row_sums;

/// Turns `count` scores of a row at a position into weights of values: those of tokens that it does not see
/// are 0. What the row has summed up is scaled to the new maximum.
INLINE_LANES void weigh_row(const qk_attention *a, size_t position, size_t first_key, size_t count,
                            float *scores, row_sums so_far) {
    size_t start = a->window && position + 1 > a->window ? position + 1 - a->window : 0;
    size_t from = start > first_key ? start - first_key : 0;
    size_t to = position + 1 > first_key ? position + 1 - first_key : 0;
    from = from < count ? from : count;
    to = to < count ? to : count;
    if (from >= to) {
        memset(scores, 0, count * sizeof(float));
        return;
    }
    // Of which the exponential is 0.
    for (size_t t = 0; t < from; t++)
        scores[t] = -INFINITY;
    for (size_t t = to; t < count; t++)
        scores[t] = -INFINITY;
    vec best = all_lanes(*so_far.maximum);
    for (size_t t = 0; t < count; t += LANES)
        best = larger_lanes(load_lanes(scores + t), best);
    float largest = largest_of_lanes(best);
    vec sum = {};
    for (size_t t = 0; t < count; t += LANES) {
        vec weight = exponential_lanes(load_lanes(scores + t) - largest);
        store_lanes(scores + t, weight);
        sum += weight;
    }
    vec before = load_lanes(so_far.weights);
    if (largest != *so_far.maximum) {
        vec decay = exponential_lanes(all_lanes(*so_far.maximum) - largest);
        float *out = so_far.out;
        size_t i = 0;
        for (; i + LANES <= a->d; i += LANES)
            store_lanes(out + i, load_lanes(out + i) * decay);
        for (; i < a->d; i++)
            out[i] *= decay[0];
        before *= decay;
    }
    store_lanes(so_far.weights, sum + before);
    *so_far.maximum = largest;
}

/// Asks for queries and for the places of outputs, which lie scattered and are far away in a long prompt.
INLINE_LANES void prefetch_rows(const qk_attention *a) {
    for (size_t query = 0; query < a->queries; query++)
        for (size_t i = 0; i < a->heads * a->d; i += 16) {
            __builtin_prefetch(a->q + query * a->q_stride + i);
            __builtin_prefetch(a->out + query * a->q_stride + i, 1);
        }
}

INLINE_LANES size_t at_once(size_t keys) {
    return keys < QK_KEYS_AT_ONCE ? keys : QK_KEYS_AT_ONCE;
}

INLINE_LANES void attend_to(const qk_attention *a, const qk_float_type type) {
    size_t rows = a->queries * a->heads;
    float *scores = a->scratch, *maxima = scores + rows * QK_KEYS_AT_ONCE;
    float *weights = maxima + rows, *outputs = weights + rows * LANES;
    factor *packed = (factor *)(outputs + rows * a->d);
    prefetch_rows(a);
    memset(weights, 0, rows * (LANES + a->d) * sizeof(float));
    for (size_t row = 0; row < rows; row++)
        maxima[row] = -INFINITY;
    pack_queries(a, rows, packed, type);
    size_t end = a->position + a->queries;
    size_t start = a->window && a->position + 1 > a->window ? a->position + 1 - a->window : 0;
    start -= start % QK_KEYS_AT_ONCE;
    if (a->queries == 1)
        prefetch_keys(a, start, at_once(end - start), type);
    for (size_t key = start; key < end; key += QK_KEYS_AT_ONCE) {
        size_t keys = at_once(end - key), row = 0;
        if (a->queries == 1)
            prefetch_keys(a, key + keys, at_once(end - key - keys), type);
        size_t blocks = (keys + QK_KEY_BLOCK - 1) / QK_KEY_BLOCK;
        score_rows(a, packed, rows, key, blocks, scores, type);
        // Whole vectors, of pairs as well.
        size_t count = (keys + 2 * LANES - 1) / (2 * LANES) * (2 * LANES);
        for (size_t query = 0; query < a->queries; query++)
            for (size_t head = 0; head < a->heads; head++, row++) {
                float *own = scores + row * QK_KEYS_AT_ONCE;
                weigh_row(a, a->position + query, key, count, own,
                          (row_sums){maxima + row, weights + row * LANES, outputs + row * a->d});
                if (type == QK_BFLOAT16)
                    make_factors(own, count);
            }
        for (row = 0; row + VALUE_ROWS <= rows; row += VALUE_ROWS)
            add_values_of_rows(a, outputs + row * a->d, VALUE_ROWS, key, keys,
                               scores + row * QK_KEYS_AT_ONCE, type);
        for (; row + 3 <= rows; row += 3)
            add_values_of_rows(a, outputs + row * a->d, 3, key, keys,
                               scores + row * QK_KEYS_AT_ONCE, type);
        for (; row < rows; row++)
            add_values_of_rows(a, outputs + row * a->d, 1, key, keys,
                               scores + row * QK_KEYS_AT_ONCE, type);
    }
    for (size_t row = 0; row < rows; row++) {
        float *out = a->out + row / a->heads * a->q_stride + row % a->heads * a->d;
        float inverse = 1 / sum_of_lanes(load_lanes(weights + row * LANES));
        for (size_t i = 0; i < a->d; i++)
            out[i] = outputs[row * a->d + i] * inverse;
    }
}

TARGET static void attend(const qk_attention *a) {
#if !defined(DOT_PAIRS)
    if (a->type == QK_FLOAT32) {
        attend_to(a, QK_FLOAT32);
        return;
    }
#endif
    attend_to(a, QK_BFLOAT16);
}
