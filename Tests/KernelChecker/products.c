#include "products.h"
#include "cases.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// The largest case: N, K and rows.
enum { MOST_OUTPUTS = 50, MOST_INPUTS = 320, CODES = 4 * 16 * MOST_INPUTS / 2 };

typedef struct {
    size_t rows, n, k, block, group;
    int with_bias, accumulates;
    int8_t int8_values[16];
    float values[16], bias[MOST_OUTPUTS];
    float x[QK_TILE_ROWS * MOST_INPUTS], old[QK_TILE_ROWS * MOST_OUTPUTS];
    uint8_t codes[MOST_OUTPUTS * MOST_INPUTS / 2];
    float scales[MOST_OUTPUTS * MOST_INPUTS / 8];
} product_case;

static guarded_buffer packed_codes, packed_scales, packed_x, expected, found;

static float number(generator *random) { return (float)(int32_t)next_random(random) * 0x1p-31f; }

static void make_product(uint64_t seed, product_case *c) {
    static const size_t blocks[] = {8, 32, 64, 128, 4096};
    generator random = {seed * 77};
    c->rows = 1 + next_random(&random) % QK_TILE_ROWS;
    c->n = 1 + next_random(&random) % MOST_OUTPUTS;
    c->k = 8 * (1 + next_random(&random) % (MOST_INPUTS / 8));
    c->block = blocks[next_random(&random) % 5];
    c->group = c->k;
    for (size_t rest = c->block; rest != 0;) {
        size_t remainder = c->group % rest;
        c->group = rest, rest = remainder;
    }
    c->with_bias = next_random(&random) % 2;
    c->accumulates = next_random(&random) % 2;
    for (size_t i = 0; i < 16; i++)
        c->values[i] = number(&random), c->int8_values[i] = (int8_t)(c->values[i] * 127);
    for (size_t i = 0; i < c->n; i++)
        c->bias[i] = number(&random);
    for (size_t i = 0; i < c->rows * c->k; i++)
        c->x[i] = 4 * number(&random);
    for (size_t i = 0; i < c->rows * c->n; i++)
        c->old[i] = number(&random);
    for (size_t i = 0; i < c->n * c->k / 2; i++)
        c->codes[i] = (uint8_t)next_random(&random);
    for (size_t i = 0; i < (c->n * c->k + c->block - 1) / c->block; i++)
        c->scales[i] = number(&random);
}

/// A mode of the product, its variants and how its activations are packed.
typedef struct {
    const char *name;
    const qk_multiply_4bit_entry *(*entries)(size_t *count);
    int is_exact;
    size_t (*packed_size)(const product_case *c);
    void (*pack)(const product_case *c, void *packed);
} product_mode;

static size_t packed_size_float32(const product_case *c) { return c->rows * c->k * 4; }
static size_t packed_size_bfloat16(const product_case *c) { return c->rows * c->k * 2; }
static size_t packed_size_int8(const product_case *c) {
    return qk_packed_rows_int8_size(c->rows, c->k, c->group);
}
static void pack_float32(const product_case *c, void *packed) {
    qk_pack_rows(c->x, c->k, c->rows, c->k, QK_FLOAT32, packed);
}
static void pack_bfloat16(const product_case *c, void *packed) {
    qk_pack_rows(c->x, c->k, c->rows, c->k, QK_BFLOAT16, packed);
}
static void pack_int8(const product_case *c, void *packed) {
    qk_pack_rows_int8(c->x, c->k, c->rows, c->k, c->group, packed);
}

static const product_mode modes[] = {
    {"multiply_4bit fp32", qk_multiply_4bit_float32_entries, 1, packed_size_float32, pack_float32},
    {"multiply_4bit bf16", qk_multiply_4bit_bfloat16_entries, 0, packed_size_bfloat16,
     pack_bfloat16},
    {"multiply_4bit int8", qk_multiply_4bit_int8_entries, 1, packed_size_int8, pack_int8},
};

/// Computes a case with one variant into a buffer.
static const float *multiply(const product_case *c, qk_multiply_4bit_fn *function,
                             const product_mode *mode, const guarded_buffer *output) {
    size_t panels = (c->n + QK_PANEL_ROWS - 1) / QK_PANEL_ROWS;
    uint8_t *codes = guarded_bytes(&packed_codes, panels * c->k * 8, 0);
    float *scales = guarded_bytes(&packed_scales, panels * (c->k / c->group) * 64, 0);
    void *x = guarded_bytes(&packed_x, mode->packed_size(c), 0);
    float *y = guarded_bytes(output, c->rows * c->n * 4, 0);
    qk_pack_4bit(c->codes, c->scales, c->n, c->k, c->block, c->group, 0, panels, codes, scales);
    mode->pack(c, x);
    memcpy(y, c->old, c->rows * c->n * 4);
    qk_multiply_4bit_arguments arguments = {
        .weight = {codes, scales, c->values, c->int8_values, 0.01f, c->n, c->k, c->group},
        .first_panel = 0,
        .end_panel = panels,
        .x = x,
        .rows = c->rows,
        .y = y,
        .y_stride = c->n,
        .bias = c->with_bias ? c->bias : NULL,
        .accumulates = c->accumulates,
    };
    function(&arguments);
    return y;
}

/// Computes the gradient of a case's activations with one variant into a buffer; dy is what y held
/// in the product, and dx holds x.
static const float *multiply_transposed(const product_case *c,
                                        qk_multiply_4bit_transposed_fn *function,
                                        const guarded_buffer *output) {
    static _Alignas(64) uint8_t scratch[QK_TRANSPOSED_SCRATCH_BYTES];
    size_t panels = (c->n + QK_PANEL_ROWS - 1) / QK_PANEL_ROWS;
    uint8_t *codes = guarded_bytes(&packed_codes, panels * c->k * 8, 0);
    float *scales = guarded_bytes(&packed_scales, panels * (c->k / c->group) * 64, 0);
    float *dy = guarded_bytes(&packed_x, c->rows * c->n * 4, 0);
    float *dx = guarded_bytes(output, c->rows * c->k * 4, 0);
    qk_pack_4bit(c->codes, c->scales, c->n, c->k, c->block, c->group, 0, panels, codes, scales);
    memcpy(dy, c->old, c->rows * c->n * 4);
    memcpy(dx, c->x, c->rows * c->k * 4);
    for (size_t column = 0; column < c->k; column += QK_COLUMN_TILE) {
        qk_multiply_4bit_transposed_arguments arguments = {
            .weight = {codes, scales, c->values, c->int8_values, 0.01f, c->n, c->k, c->group},
            .first_column = column,
            .dy = dy,
            .dy_stride = c->n,
            .rows = c->rows,
            .dx = dx,
            .dx_stride = c->k,
            .accumulates = c->accumulates,
            .scratch = scratch,
        };
        function(&arguments);
    }
    return dx;
}

/// Whether two results agree: in every bit, or as two sums of the same products can differ.
static int agree(const product_case *c, const float *one, const float *two,
                 const product_mode *mode) {
    if (mode->is_exact)
        return memcmp(one, two, c->rows * c->n * 4) == 0;
    for (size_t row = 0; row < c->rows; row++)
        for (size_t output = 0; output < c->n; output++) {
            double sum = fabs((double)c->bias[output]) + fabs((double)c->old[row * c->n + output]);
            for (size_t k = 0; k < c->k; k++) {
                size_t index = output * c->k + k;
                unsigned code = c->codes[index / 2] >> (index % 2 ? 0 : 4) & 15;
                sum += fabs((double)c->scales[index / c->block] * (double)c->values[code] *
                            (double)c->x[row * c->k + k]);
            }
            // Each is off by K + K / 8 + 4 roundings at most; rounded operands grow by 2^-8 each.
            double bound = 2 * (double)(c->k + c->k / 8 + 4) * 0x1p-24 * 1.01 * sum;
            double difference = (double)one[row * c->n + output] - (double)two[row * c->n + output];
            if (!(fabs(difference) <= bound))
                return 0;
        }
    return 1;
}

void check_products(uint32_t features, size_t case_count,
                    void (*report)(const char *, const char *, size_t, size_t, uint64_t)) {
    packed_codes = make_guarded_buffer(CODES);
    packed_scales = make_guarded_buffer(4 * 16 * MOST_INPUTS / 8 * 4);
    packed_x = make_guarded_buffer(QK_TILE_ROWS * MOST_INPUTS * 4);
    expected = make_guarded_buffer(QK_TILE_ROWS * MOST_INPUTS * 4);
    found = make_guarded_buffer(QK_TILE_ROWS * MOST_INPUTS * 4);
    product_case *c = malloc(sizeof *c);
    if (c == NULL)
        abort();
    for (const product_mode *mode = modes; mode < modes + 3; mode++) {
        size_t count;
        const qk_multiply_4bit_entry *entries = mode->entries(&count);
        for (size_t index = 0; index < count; index++) {
            if ((entries[index].variant.features & features) != entries[index].variant.features)
                continue;
            size_t wrong = 0;
            uint64_t first_wrong = 0;
            for (uint64_t seed = 1; seed <= case_count; seed++) {
                make_product(seed, c);
                const float *one = multiply(c, entries[count - 1].function, mode, &expected);
                const float *two = multiply(c, entries[index].function, mode, &found);
                if (!agree(c, one, two, mode)) {
                    first_wrong = wrong == 0 ? seed : first_wrong;
                    wrong++;
                }
            }
            report(mode->name, entries[index].variant.name, case_count, wrong, first_wrong);
        }
    }
    size_t count;
    const qk_multiply_4bit_transposed_entry *entries = qk_multiply_4bit_transposed_entries(&count);
    for (size_t index = 0; index < count; index++) {
        if ((entries[index].variant.features & features) != entries[index].variant.features)
            continue;
        size_t wrong = 0;
        uint64_t first_wrong = 0;
        for (uint64_t seed = 1; seed <= case_count; seed++) {
            make_product(seed, c);
            const float *one = multiply_transposed(c, entries[count - 1].function, &expected);
            const float *two = multiply_transposed(c, entries[index].function, &found);
            if (memcmp(one, two, c->rows * c->k * 4) != 0) {
                first_wrong = wrong == 0 ? seed : first_wrong;
                wrong++;
            }
        }
        report("multiply_4bit transposed", entries[index].variant.name, case_count, wrong,
               first_wrong);
    }
    free(c);
}
