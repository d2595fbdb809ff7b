#include "layers.h"
#include "cases.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 20, MOST_COLUMNS = 200, MOST_TOKENS = 150, MOST_CHANNELS = 72 };

static guarded_buffer inputs[4], expected, found;

static float number(generator *random) { return (float)(int32_t)next_random(random) * 0x1p-31f; }

/// Bytes behind a page that must not be touched, or in front of one; 12 bytes in front of it, because qemu
/// reads 16 where a scalar fused multiply-add reads 4.
static void *bytes_of(const guarded_buffer *buffer, size_t size, int at_front) {
    return guarded_bytes(buffer, at_front ? size : size + 12, at_front);
}

static float *numbers(const guarded_buffer *buffer, size_t count, generator *random, float scale) {
    float *values = bytes_of(buffer, 4 * count, (int)(next_random(random) % 2));
    for (size_t i = 0; i < count; i++)
        values[i] = scale * number(random);
    return values;
}

static uint16_t *rounded(const guarded_buffer *buffer, size_t count, generator *random) {
    uint16_t *values = bytes_of(buffer, 2 * count, (int)(next_random(random) % 2));
    for (size_t i = 0; i < count; i++) {
        float value = number(random);
        uint32_t bits;
        memcpy(&bits, &value, 4);
        values[i] = (uint16_t)(bits >> 16);
    }
    return values;
}

/// Computes the case of a seed with a variant's function, or table of functions, into numbers that end at a
/// page; returns how many they are.
typedef size_t layer_case(const void *function, generator *random, const guarded_buffer *output);

static size_t multiply_dense(const void *function, generator *random, const guarded_buffer *output) {
    size_t rows = 1 + next_random(random) % MOST_ROWS, n = 1 + next_random(random) % MOST_COLUMNS;
    size_t k = 1 + next_random(random) % MOST_COLUMNS, x_stride = k + next_random(random) % 2 * 3;
    size_t y_stride = n + next_random(random) % 2 * 5, cut = next_random(random) % (n + 1);
    int is_narrow = next_random(random) % 2, with_bias = next_random(random) % 2;
    qk_multiply_dense_arguments arguments = {
        .type = is_narrow ? QK_BFLOAT16 : QK_FLOAT32,
        .n = n,
        .k = k,
        .x = numbers(&inputs[0], (rows - 1) * x_stride + k, random, 1),
        .x_stride = x_stride,
        .rows = rows,
        .y = bytes_of(output, 4 * ((rows - 1) * y_stride + n), 0),
        .y_stride = y_stride,
        .accumulates = next_random(random) % 2,
    };
    arguments.w = is_narrow ? (const void *)rounded(&inputs[1], n * k, random)
                            : (const void *)numbers(&inputs[1], n * k, random, 1);
    arguments.bias = with_bias ? numbers(&inputs[2], n, random, 1) : NULL;
    for (size_t i = 0; i < (rows - 1) * y_stride + n; i++)
        arguments.y[i] = number(random);
    for (int part = 0; part < 2; part++) {
        arguments.first_output = part ? cut : 0;
        arguments.end_output = part ? n : cut;
        ((qk_multiply_dense_fn *)function)(&arguments);
    }
    return (rows - 1) * y_stride + n;
}

static size_t rms_norm(const void *table, generator *random, const guarded_buffer *output) {
    const qk_transformer_functions *functions = table;
    size_t rows = 1 + next_random(random) % MOST_ROWS, n = 1 + next_random(random) % MOST_COLUMNS;
    const float *x = numbers(&inputs[0], rows * n, random, 3);
    const float *weight = numbers(&inputs[1], n, random, 1);
    functions->rms_norm(x, weight, rows, n, 1e-5f, bytes_of(output, 4 * rows * n, 0));
    return rows * n;
}

static size_t rms_norm_backward(const void *table, generator *random, const guarded_buffer *output) {
    const qk_transformer_functions *functions = table;
    size_t rows = 1 + next_random(random) % MOST_ROWS, n = 1 + next_random(random) % MOST_COLUMNS;
    const float *x = numbers(&inputs[0], rows * n, random, 3);
    const float *weight = numbers(&inputs[1], n, random, 1);
    const float *dy = numbers(&inputs[2], rows * n, random, 1);
    float *dx = bytes_of(output, 4 * (rows + 1) * n, 0);
    memset(dx, 0, 4 * (rows + 1) * n);
    functions->rms_norm_backward(x, weight, dy, rows, n, 1e-2f, dx, dx + rows * n);
    return (rows + 1) * n;
}

static size_t rotate(const void *table, generator *random, const guarded_buffer *output) {
    const qk_transformer_functions *functions = table;
    size_t rows = 1 + next_random(random) % 8, heads = 1 + next_random(random) % 4;
    size_t half = 1 + next_random(random) % 40, d = 2 * half + next_random(random) % 3;
    float *x = bytes_of(output, 4 * rows * heads * d, 0);
    for (size_t i = 0; i < rows * heads * d; i++)
        x[i] = number(random);
    const float *cosines = numbers(&inputs[0], rows * half, random, 1);
    const float *sines = numbers(&inputs[1], rows * half, random, 1);
    functions->rotate(x, rows, heads, d, half, cosines, sines);
    return rows * heads * d;
}

static size_t gate_silu(const void *table, generator *random, const guarded_buffer *output) {
    const qk_transformer_functions *functions = table;
    size_t count = 1 + next_random(random) % 300;
    float *gate = bytes_of(output, 4 * count, 0);
    for (size_t i = 0; i < count; i++)
        gate[i] = 20 * number(random);
    functions->gate_silu(gate, numbers(&inputs[0], count, random, 1), count);
    return count;
}

static size_t gate_silu_backward(const void *table, generator *random, const guarded_buffer *output) {
    const qk_transformer_functions *functions = table;
    size_t count = 1 + next_random(random) % 300;
    const float *gate = numbers(&inputs[0], count, random, 20);
    const float *up = numbers(&inputs[1], count, random, 1);
    float *gradients = bytes_of(output, 8 * count, 0);
    functions->gate_silu_backward(gate, up, numbers(&inputs[2], count, random, 1), count, gradients,
                                  gradients + count);
    return 2 * count;
}

static size_t exponentials(const void *table, generator *random, const guarded_buffer *output) {
    const qk_transformer_functions *functions = table;
    size_t count = 1 + next_random(random) % 2500;
    float *x = bytes_of(output, 4 * (count + 2), 0);
    for (size_t i = 0; i < count; i++)
        x[i] = 50 * number(random);
    x[count] = functions->maximum(x, count) / 50;
    x[count + 1] = (float)functions->exponentials(x, count, 50 * x[count]) / 2500;
    return count + 2;
}

static size_t attend(const void *table, generator *random, const guarded_buffer *output,
                     qk_float_type type) {
    const qk_transformer_functions *functions = table;
    size_t heads = 1 + next_random(random) % 4, groups = 1 + next_random(random) % 3;
    size_t d = 2 * (1 + next_random(random) % (MOST_CHANNELS / 2));
    size_t queries = 1 + next_random(random) % 12, position = next_random(random) % MOST_TOKENS;
    size_t blocks = (position + queries + QK_KEY_BLOCK - 1) / QK_KEY_BLOCK;
    size_t rows = queries * heads, group = next_random(random) % groups;
    // As wide as all key-value heads together, of which one is attended to.
    size_t count = blocks * QK_KEY_BLOCK * groups * d;
    size_t size = type == QK_FLOAT32 ? 4 : 2, pair = type == QK_FLOAT32 ? 1 : 2;
    const char *k, *v;
    if (type == QK_FLOAT32) {
        k = (const char *)numbers(&inputs[0], count, random, 1);
        v = (const char *)numbers(&inputs[1], count, random, 1);
    } else {
        k = (const char *)rounded(&inputs[0], count, random);
        v = (const char *)rounded(&inputs[1], count, random);
    }
    qk_attention attention = {
        .q = numbers(&inputs[2], rows * d, random, 4),
        .k = k + group * d * QK_KEY_BLOCK * size,
        .v = v + group * d * pair * size,
        .type = type,
        .out = bytes_of(output, 4 * rows * d, 0),
        .scratch = numbers(&inputs[3], (QK_KEYS_AT_ONCE + 2 * d + 18) * rows, random, 1),
        .q_stride = heads * d,
        .k_stride = groups * d * QK_KEY_BLOCK,
        .v_stride = groups * d,
        .queries = queries,
        .heads = heads,
        .d = d,
        .position = position,
        .window = next_random(random) % 3 == 0 ? 1 + next_random(random) % MOST_TOKENS : 0,
        .scale = 0.4f,
    };
    functions->attend(&attention);
    return rows * d;
}

static size_t attend_float32(const void *table, generator *random, const guarded_buffer *output) {
    return attend(table, random, output, QK_FLOAT32);
}

static size_t attend_bfloat16(const void *table, generator *random, const guarded_buffer *output) {
    return attend(table, random, output, QK_BFLOAT16);
}

/// What is compared, and how far results may be apart, whose magnitudes are about 1.
static const struct {
    const char *name;
    layer_case *function;
    float bound;
} transformer_cases[] = {
    {"rms_norm", rms_norm, 1e-5f},
    {"rms_norm_backward", rms_norm_backward, 1e-4f},
    {"rotate", rotate, 1e-6f},
    {"gate_silu", gate_silu, 1e-5f},
    {"gate_silu_backward", gate_silu_backward, 1e-5f},
    {"exponentials", exponentials, 1e-5f},
    {"attend fp32", attend_float32, 1e-5f},
    // A weight next to the middle between two numbers of bfloat16 is rounded to either.
    {"attend bf16", attend_bfloat16, 1.0f / 256},
};

/// Returns the seed of the first wrong case, 0 if there is none, and adds up how many are wrong.
static uint64_t compare(layer_case *function, const void *variant, const void *generic,
                        size_t case_count, float bound, size_t *wrong) {
    uint64_t first = 0;
    for (uint64_t seed = 1; seed <= case_count; seed++) {
        generator random = {seed * 131}, again = random;
        size_t count = function(generic, &random, &expected);
        if (function(variant, &again, &found) != count)
            abort();
        const float *a = bytes_of(&expected, 4 * count, 0);
        const float *b = bytes_of(&found, 4 * count, 0);
        for (size_t i = 0; i < count; i++)
            if (!(fabsf(a[i] - b[i]) <= bound)) {
                first = (*wrong)++ == 0 ? seed : first;
                break;
            }
    }
    return first;
}

void check_layers(uint32_t features, size_t case_count,
                  void (*report)(const char *family, const char *variant, size_t cases, size_t wrong,
                                 uint64_t seed)) {
    size_t keys = 3 * MOST_CHANNELS * (MOST_TOKENS + 2 * QK_KEY_BLOCK);
    size_t capacity = 4 * (keys > MOST_COLUMNS * MOST_COLUMNS ? keys : MOST_COLUMNS * MOST_COLUMNS);
    for (int i = 0; i < 4; i++)
        inputs[i] = make_guarded_buffer(capacity);
    expected = make_guarded_buffer(capacity);
    found = make_guarded_buffer(capacity);

    size_t count;
    for (int transposed = 0; transposed < 2; transposed++) {
        const qk_multiply_dense_entry *entries =
            transposed ? qk_multiply_dense_transposed_entries(&count) : qk_multiply_dense_entries(&count);
        for (size_t i = 0; i + 1 < count; i++) {
            if ((entries[i].variant.features & features) != entries[i].variant.features)
                continue;
            size_t wrong = 0;
            uint64_t first = compare(multiply_dense, (const void *)entries[i].function,
                                     (const void *)entries[count - 1].function, case_count, 1e-4f,
                                     &wrong);
            report(transposed ? "dense_transposed" : "dense", entries[i].variant.name, case_count,
                   wrong, first);
        }
    }

    const qk_transformer_entry *entries = qk_transformer_entries(&count);
    for (size_t i = 0; i + 1 < count; i++) {
        if ((entries[i].variant.features & features) != entries[i].variant.features)
            continue;
        for (size_t c = 0; c < sizeof transformer_cases / sizeof transformer_cases[0]; c++) {
            size_t wrong = 0;
            uint64_t first =
                compare(transformer_cases[c].function, entries[i].function(),
                        entries[count - 1].function(), case_count, transformer_cases[c].bound, &wrong);
            report(transformer_cases[c].name, entries[i].variant.name, case_count, wrong, first);
        }
    }
}
