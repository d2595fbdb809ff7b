#include "products.h"
#include "cases.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// The largest case: rows, N and K.
enum { MOST_ROWS = 50, MOST_OUTPUTS = 50, MOST_INPUTS = 320, CODES = 4 * 16 * MOST_INPUTS };

typedef struct {
    uint64_t seed;
    size_t bits, rows, n, k, block, group;
    int with_bias, accumulates;
    int8_t int8_values[16];
    float values[16], bias[MOST_OUTPUTS];
    float x[MOST_ROWS * MOST_INPUTS], old[MOST_ROWS * MOST_OUTPUTS];
    uint8_t codes[MOST_OUTPUTS * MOST_INPUTS];
    float scales[MOST_OUTPUTS * MOST_INPUTS / 8];
} product_case;

static guarded_buffer packed_codes, packed_scales, packed_x, expected, found;

static float number(generator *random) { return (float)(int32_t)next_random(random) * 0x1p-31f; }

static void make_product(uint64_t seed, size_t bits, product_case *c) {
    static const size_t blocks[] = {8, 32, 64, 128, 4096};
    generator random = {seed * 77};
    c->rows = 1 + next_random(&random) % MOST_ROWS;
    c->n = 1 + next_random(&random) % MOST_OUTPUTS;
    c->k = 8 * (1 + next_random(&random) % (MOST_INPUTS / 8));
    c->block = blocks[next_random(&random) % 5];
    c->seed = seed;
    c->bits = bits;
    c->group = c->k;
    if (bits == 8)
        c->block = c->k;
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
    for (size_t i = 0; i < c->n * c->k; i++)
        c->codes[i] = (uint8_t)next_random(&random);
    for (size_t i = 0; i < (c->n * c->k + c->block - 1) / c->block; i++)
        c->scales[i] = number(&random);
}

/// A mode of the products with codes of a width, and its variants.
typedef struct {
    const char *name;
    const qk_multiply_entry *(*entries)(size_t *count);
    size_t bits;
} product_mode;

static const product_mode modes[] = {
    {"multiply_4bit fp32", qk_multiply_4bit_float32_entries, 4},
    {"multiply_4bit bf16", qk_multiply_4bit_bfloat16_entries, 4},
    {"multiply_4bit int8", qk_multiply_4bit_int8_entries, 4},
    {"multiply_8bit fp32", qk_multiply_8bit_float32_entries, 8},
    {"multiply_8bit bf16", qk_multiply_8bit_bfloat16_entries, 8},
    {"multiply_8bit int8", qk_multiply_8bit_int8_entries, 8},
};

/// The same for gradients.
typedef struct {
    const char *name;
    const qk_multiply_transposed_entry *(*entries)(size_t *count);
    size_t bits;
} gradient_mode;

static const gradient_mode gradient_modes[] = {
    {"gradient_4bit fp32", qk_multiply_4bit_transposed_float32_entries, 4},
    {"gradient_4bit bf16", qk_multiply_4bit_transposed_bfloat16_entries, 4},
    {"gradient_8bit fp32", qk_multiply_8bit_transposed_float32_entries, 8},
    {"gradient_8bit bf16", qk_multiply_8bit_transposed_bfloat16_entries, 8},
};

/// Packs rows as the generic variant does.
static void pack_rows(const float *x, size_t rows, size_t k, size_t group, qk_row_packing packing,
                      void *packed) {
    size_t count;
    const qk_pack_rows_entry *entries = qk_pack_rows_entries(&count);
    entries[count - 1].function(x, k, rows, k, group, packing, packed);
}

/// Packs the weight, and back, which must give the same bytes.
static void pack_weight(const product_case *c, size_t panels, uint8_t *codes, float *scales) {
    static uint8_t canonical[MOST_OUTPUTS * MOST_INPUTS];
    (c->bits == 4 ? qk_pack_4bit : qk_pack_8bit)(c->codes, c->scales, c->n, c->k, c->block, c->group,
                                                 0, panels, codes, scales);
    (c->bits == 4 ? qk_unpack_4bit : qk_unpack_8bit)(codes, c->n, c->k, 0, panels, canonical);
    if (memcmp(canonical, c->codes, c->n * c->k * c->bits / 8) != 0)
        abort();
}

/// Computes a case with one variant into a buffer.
static const float *multiply(const product_case *c, const qk_multiply_entry *entry,
                             const guarded_buffer *output) {
    size_t panels = (c->n + QK_PANEL_ROWS - 1) / QK_PANEL_ROWS;
    uint8_t *codes = guarded_bytes(&packed_codes, panels * c->k * 2 * c->bits, 0);
    float *scales = guarded_bytes(&packed_scales, panels * (c->k / c->group) * 64, 0);
    float *y = guarded_bytes(output, c->rows * c->n * 4, 0);
    pack_weight(c, panels, codes, scales);
    memcpy(y, c->old, c->rows * c->n * 4);
    for (size_t row = 0; row < c->rows; row += entry->tile_rows) {
        size_t rows = c->rows - row < entry->tile_rows ? c->rows - row : entry->tile_rows;
        size_t size = qk_packed_rows_size(rows, c->k, c->group, entry->packing);
        void *x = guarded_bytes(&packed_x, size, 0);
        pack_rows(c->x + row * c->k, rows, c->k, c->group, entry->packing, x);
        qk_multiply_arguments arguments = {
            .weight = {codes, scales, c->values, c->int8_values, 0.01f, c->n, c->k, c->group},
            .first_panel = 0,
            .end_panel = panels,
            .x = x,
            .rows = rows,
            .y = y + row * c->n,
            .y_stride = c->n,
            .bias = c->with_bias ? c->bias : NULL,
            .accumulates = c->accumulates,
        };
        entry->function(&arguments);
    }
    return y;
}

/// Computes the gradient of a case's activations with one variant into a buffer; dy is what y held
/// in the product, and dx holds x.
static const float *multiply_transposed(const product_case *c,
                                        const qk_multiply_transposed_entry *entry,
                                        const guarded_buffer *output) {
    static _Alignas(64) uint8_t scratch[QK_TRANSPOSED_SCRATCH_BYTES];
    size_t panels = (c->n + QK_PANEL_ROWS - 1) / QK_PANEL_ROWS;
    size_t tiles = (c->rows + QK_GRADIENT_ROWS - 1) / QK_GRADIENT_ROWS;
    size_t tile_rows = (c->rows + tiles - 1) / tiles, last = c->rows - (tiles - 1) * tile_rows;
    size_t tile_stride = qk_packed_rows_size(tile_rows, c->n, c->n, entry->packing);
    size_t size = (tiles - 1) * tile_stride + qk_packed_rows_size(last, c->n, c->n, entry->packing);
    uint8_t *codes = guarded_bytes(&packed_codes, panels * c->k * 2 * c->bits, 0);
    float *scales = guarded_bytes(&packed_scales, panels * (c->k / c->group) * 64, 0);
    char *dy = guarded_bytes(&packed_x, size, 0);
    float *dx = guarded_bytes(output, c->rows * c->k * 4, 0);
    pack_weight(c, panels, codes, scales);
    for (size_t tile = 0; tile < tiles; tile++)
        pack_rows(c->old + tile * tile_rows * c->n, tile + 1 < tiles ? tile_rows : last, c->n,
                  c->n, entry->packing, dy + tile * tile_stride);
    memcpy(dx, c->x, c->rows * c->k * 4);
    for (size_t column = 0; column < c->k; column += QK_COLUMN_TILE) {
        qk_multiply_transposed_arguments arguments = {
            .weight = {codes, scales, c->values, c->int8_values, 0.01f, c->n, c->k, c->group},
            .first_column = column,
            .dy = dy,
            .tile_rows = tile_rows,
            .tile_stride = tile_stride,
            .rows = c->rows,
            .dx = dx,
            .dx_stride = c->k,
            .accumulates = c->accumulates,
            .scratch = scratch,
        };
        entry->function(&arguments);
    }
    return dx;
}

static double element(const product_case *c, size_t index) {
    unsigned code = c->codes[index / 2] >> (index % 2 ? 0 : 4) & 15;
    return (double)c->scales[index / c->block] * (double)c->values[code];
}

/// Whether two numbers differ by no more than two sums of `terms` rounded products can.
static int is_near(float one, float two, size_t terms, double absolute_sum) {
    // Rounded operands grow by 2^-8 each.
    double bound = 2 * (double)terms * 0x1p-24 * 1.01 * absolute_sum;
    return fabs((double)one - (double)two) <= bound;
}

/// Whether two products agree: in every bit, or as two sums of the same numbers can differ.
static int products_agree(const product_case *c, const float *one, const float *two, int is_exact) {
    if (is_exact)
        return memcmp(one, two, c->rows * c->n * 4) == 0;
    for (size_t i = 0; i < c->rows * c->n; i++) {
        size_t row = i / c->n, output = i % c->n;
        double sum = fabs((double)c->bias[output]) + fabs((double)c->old[i]);
        for (size_t k = 0; k < c->k; k++)
            sum += fabs(element(c, output * c->k + k) * (double)c->x[row * c->k + k]);
        if (!is_near(one[i], two[i], c->k + c->k / 8 + 4, sum))
            return 0;
    }
    return 1;
}

/// The same for two gradients.
static int gradients_agree(const product_case *c, const float *one, const float *two,
                           int is_exact) {
    if (is_exact)
        return memcmp(one, two, c->rows * c->k * 4) == 0;
    for (size_t i = 0; i < c->rows * c->k; i++) {
        size_t row = i / c->k, column = i % c->k;
        double sum = fabs((double)c->x[i]);
        for (size_t output = 0; output < c->n; output++)
            sum += fabs(element(c, output * c->k + column) * (double)c->old[row * c->n + output]);
        if (!is_near(one[i], two[i], c->n + 2, sum))
            return 0;
    }
    return 1;
}

/// Whether a variant packs a case's activations, with numbers of every kind among them, as the generic
/// one does, in each packing; those for pairs and single numbers with any number of columns.
static int packs_agree(const product_case *c, const void *one_entry, const void *generic_entry,
                       int is_exact) {
    (void)is_exact;
    const qk_pack_rows_entry *entry = one_entry, *generic = generic_entry;
    static const float odd[] = {0, -0.0f, 1e-45f, 3e38f, INFINITY, -NAN, 0x1.01p0f, 0x1.03p0f};
    static float x[MOST_ROWS * MOST_INPUTS];
    generator random = {c->seed};
    memcpy(x, c->x, sizeof x);
    for (size_t i = c->seed % 2 ? 0 : c->rows * c->k; i < c->rows * c->k; i += 1 + next_random(&random) % 50)
        x[i] = odd[next_random(&random) % 8];
    for (qk_row_packing packing = QK_ROWS_FLOAT32; packing <= QK_ROWS_INT8; packing++) {
        size_t k = packing == QK_ROWS_INT8 ? c->k : c->k - next_random(&random) % 8;
        size_t size = qk_packed_rows_size(c->rows, k, c->group, packing);
        void *one = guarded_bytes(&expected, size, 0), *two = guarded_bytes(&found, size, 0);
        float *own = guarded_bytes(&packed_x, c->rows * k * 4, 0);
        memcpy(own, x, c->rows * k * 4);
        generic->function(own, k, c->rows, k, c->group, packing, one);
        entry->function(own, k, c->rows, k, c->group, packing, two);
        if (memcmp(one, two, size) != 0)
            return 0;
    }
    return 1;
}

/// Whether a variant's product agrees with the generic one.
static int multiplies_agree(const product_case *c, const void *entry, const void *generic,
                            int is_exact) {
    const float *one = multiply(c, generic, &expected);
    return products_agree(c, one, multiply(c, entry, &found), is_exact);
}

/// The same for gradients.
static int transposed_agree(const product_case *c, const void *entry, const void *generic,
                            int is_exact) {
    const float *one = multiply_transposed(c, generic, &expected);
    return gradients_agree(c, one, multiply_transposed(c, entry, &found), is_exact);
}

/// What all checks of a run share.
typedef struct {
    uint32_t features;
    size_t case_count;
    product_case *memory;
    void (*report)(const char *, const char *, size_t, size_t, uint64_t);
} checks;

/// Compares a variant with the generic one in all cases; both are entries, which begin with a
/// qk_variant.
static void check_variant(const checks *all, const char *family, size_t bits, const void *entry,
                          const void *generic,
                          int (*agree)(const product_case *, const void *, const void *, int)) {
    const qk_variant *variant = entry;
    if ((variant->features & all->features) != variant->features)
        return;
    size_t wrong = 0;
    uint64_t first_wrong = 0;
    for (uint64_t seed = 1; seed <= all->case_count; seed++) {
        make_product(seed, bits, all->memory);
        if (!agree(all->memory, entry, generic, variant->is_exact) && wrong++ == 0)
            first_wrong = seed;
    }
    all->report(family, variant->name, all->case_count, wrong, first_wrong);
}

void check_products(uint32_t features, size_t case_count,
                    void (*report)(const char *, const char *, size_t, size_t, uint64_t)) {
    packed_codes = make_guarded_buffer(CODES);
    packed_scales = make_guarded_buffer(4 * 16 * MOST_INPUTS / 8 * 4);
    packed_x = make_guarded_buffer(MOST_ROWS * MOST_INPUTS * 4);
    expected = make_guarded_buffer(MOST_ROWS * MOST_INPUTS * 4);
    found = make_guarded_buffer(MOST_ROWS * MOST_INPUTS * 4);
    product_case *c = malloc(sizeof *c);
    if (c == NULL)
        abort();
    const checks all = {features, case_count, c, report};
    size_t count;
    const qk_pack_rows_entry *packs = qk_pack_rows_entries(&count);
    for (size_t index = 0; index < count; index++)
        check_variant(&all, "pack_rows", 4, &packs[index], &packs[count - 1], packs_agree);
    for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
        const qk_multiply_entry *entries = modes[m].entries(&count);
        for (size_t index = 0; index < count; index++)
            check_variant(&all, modes[m].name, modes[m].bits, &entries[index],
                          &entries[count - 1], multiplies_agree);
    }
    for (size_t m = 0; m < sizeof gradient_modes / sizeof *gradient_modes; m++) {
        const gradient_mode *mode = &gradient_modes[m];
        const qk_multiply_transposed_entry *entries = mode->entries(&count);
        for (size_t index = 0; index < count; index++)
            check_variant(&all, mode->name, mode->bits, &entries[index],
                          &entries[count - 1], transposed_agree);
    }
    free(c);
}
