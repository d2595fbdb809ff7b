// Products with 4-bit weights in float32 for registers that hold a part of a panel's 16 rows. A file that
// includes this defines
//   TARGET         the attribute that sets its instruction set; INLINE
//   vec, VECTORS   a register of float32, and how many hold 16
//   LANES          16 / VECTORS
//   ROWS (2 or 3), BLOCK (6)   the rows of activations whose sums and totals, and whose sums alone, are in registers
//   load_vec, store_vec, broadcast, fused_multiply_add(a, b, c) = a * b + c
//   code_table, make_table(values)
//   eight_codes, load_codes(bytes)      codes of eight columns and 16 rows
//   look_up(table, codes, i, found)     the values of column i ^ 1 of the eight
// It then has multiply_panels, which computes what qk_multiply.h says of float32.

#include "multiply_store.h"
#include "row_sums.h"

/// `rows` rows of activations, from `first` on, and one panel.
TARGET INLINE void multiply_panel(const qk_multiply_arguments *a, size_t panel, size_t first, int rows) {
    const qk_packed_weight *w = &a->weight;
    const code_table table = make_table(w->values);
    const size_t groups = w->k / w->group, steps = w->group / 8, stride = a->rows;
    const uint8_t *codes = w->codes + panel * w->k * 8;
    const float *scales = w->scales + panel * groups * QK_PANEL_ROWS;
    const float *x = (const float *)a->x + first;
    vec totals[ROWS][VECTORS];
    FOR_EACH_SUM totals[row][v] = broadcast(0);
    for (size_t g = 0; g < groups; g++) {
        vec sums[ROWS][VECTORS];
        FOR_EACH_SUM sums[row][v] = broadcast(0);
        for (size_t step = 0; step < steps; step++) {
            const eight_codes eight = load_codes(codes);
            UNROLL for (int i = 0; i < 8; i++) {
                vec found[VECTORS];
                look_up(&table, &eight, i, found);
                UNROLL for (int row = 0; row < rows; row++) {
                    vec factor = broadcast(x[(size_t)(i ^ 1) * stride + (size_t)row]);
                    UNROLL for (int v = 0; v < VECTORS; v++)
                        sums[row][v] = fused_multiply_add(found[v], factor, sums[row][v]);
                }
            }
            codes += 64;
            x += 8 * stride;
        }
        FOR_EACH_SUM totals[row][v] =
            fused_multiply_add(sums[row][v], load_vec(scales + LANES * v), totals[row][v]);
        scales += QK_PANEL_ROWS;
    }
    UNROLL for (int row = 0; row < rows; row++) {
        float numbers[QK_PANEL_ROWS];
        UNROLL for (int v = 0; v < VECTORS; v++) store_vec(numbers + LANES * v, totals[row][v]);
        qk_store_totals(a, panel, first + (size_t)row, numbers);
    }
}

// With more rows, a part of the panel is decoded into memory that the nearest cache holds, and blocks of
// rows pass over it.

enum {
    // The most columns of the part. It has those that share a scale, at least LEAST: so few that the
    // rows' activations have room beside it.
    PART = 256,
    LEAST = 64,
};

/// Decodes `count` columns of a panel, in the order in which they are summed.
TARGET INLINE void decode_part(const qk_packed_weight *w, const uint8_t *codes, size_t count, float *out) {
    const code_table table = make_table(w->values);
    for (size_t step = 0; step < count / 8; step++, codes += 64) {
        const eight_codes eight = load_codes(codes);
        UNROLL for (int i = 0; i < 8; i++, out += QK_PANEL_ROWS) {
            vec found[VECTORS];
            look_up(&table, &eight, i, found);
            UNROLL for (int v = 0; v < VECTORS; v++) store_vec(out + LANES * v, found[v]);
        }
    }
}

/// Adds the groups of a decoded part to the totals of `rows` rows, whose activations begin at `x`.
TARGET INLINE void add_part(const qk_multiply_arguments *a, const float *part, size_t count,
                            const float *scales, const float *x, int rows, float *totals) {
    const size_t stride = a->rows, group = a->weight.group;
    for (size_t first = 0; first < count; first += group, scales += QK_PANEL_ROWS) {
        vec sums[BLOCK][VECTORS];
        FOR_EACH_SUM sums[row][v] = broadcast(0);
        for (size_t step = 0; step < group / 8; step++) {
            UNROLL for (int i = 0; i < 8; i++, part += QK_PANEL_ROWS) {
                vec weights[VECTORS];
                UNROLL for (int v = 0; v < VECTORS; v++) weights[v] = load_vec(part + LANES * v);
                const float *own = x + (size_t)(i ^ 1) * stride;
                UNROLL for (int row = 0; row < rows; row++) {
                    vec factor = broadcast(own[row]);
                    UNROLL for (int v = 0; v < VECTORS; v++)
                        sums[row][v] = fused_multiply_add(weights[v], factor, sums[row][v]);
                }
            }
            x += 8 * stride;
        }
        FOR_EACH_SUM {
            float *total = totals + row * QK_PANEL_ROWS + LANES * v;
            store_vec(total, fused_multiply_add(sums[row][v], load_vec(scales + LANES * v),
                                                load_vec(total)));
        }
    }
}

TARGET INLINE void multiply_decoded(const qk_multiply_arguments *a, size_t panel) {
    const qk_packed_weight *w = &a->weight;
    _Alignas(64) float part[PART * QK_PANEL_ROWS];
    float totals[QK_DECODED_TILE_ROWS * QK_PANEL_ROWS] = {0};
    const size_t columns = w->group < LEAST ? LEAST / w->group * w->group : w->group;
    for (size_t first = 0; first < w->k; first += columns) {
        size_t count = w->k - first < columns ? w->k - first : columns;
        decode_part(w, w->codes + (panel * w->k + first) * 8, count, part);
        const float *scales =
            w->scales + (panel * (w->k / w->group) + first / w->group) * QK_PANEL_ROWS;
        for (size_t row = 0; row < a->rows; row += BLOCK) {
            const float *x = (const float *)a->x + first * a->rows + row;
            float *own = totals + row * QK_PANEL_ROWS;
            switch (a->rows - row) {
            case 1: add_part(a, part, count, scales, x, 1, own); break;
            case 2: add_part(a, part, count, scales, x, 2, own); break;
            case 3: add_part(a, part, count, scales, x, 3, own); break;
            case 4: add_part(a, part, count, scales, x, 4, own); break;
            case 5: add_part(a, part, count, scales, x, 5, own); break;
            default: add_part(a, part, count, scales, x, BLOCK, own); break;
            }
        }
    }
    for (size_t row = 0; row < a->rows; row++)
        qk_store_totals(a, panel, row, totals + row * QK_PANEL_ROWS);
}

TARGET INLINE void multiply_panels(const qk_multiply_arguments *a) {
    for (size_t panel = a->first_panel; panel < a->end_panel; panel++) {
        if (a->rows > ROWS && a->weight.group <= PART) {
            multiply_decoded(a, panel);
            continue;
        }
#define MULTIPLY(row, rows) multiply_panel(a, panel, row, rows)
        FOR_EACH_ROW_BLOCK(a->rows, MULTIPLY);
#undef MULTIPLY
    }
}
