// Products in the int8 mode for registers that hold a part of a panel's 16 rows. A file that includes this
// defines
//   TARGET         the attribute that sets its instruction set; INLINE
//   vec, LANES     a register of float32
//   VECTORS        the registers of the part of a panel that is computed at once
//   ROWS (at most 4)   the rows of activations that have sums in registers then
//   load_vec, store_vec, broadcast, add, multiply, fused_multiply_add(a, b, c) = a * b + c
//   int8_factors, load_factors(x)       four activations, for every lane
//   int8_weights, load_weights(bytes)   four 8-bit codes for each lane
//   int8_table, make_table(values), look_up(table, bytes, odd, even)   what eight 4-bit codes stand for
//   int8_sums, no_products(), add_products(sums, weights, factors), floats_of(sums)
// It then has multiply_4bit and multiply_8bit, which compute what qk_multiply.h says.

#include "int8_run.h"
#include "row_sums.h"

/// `rows` rows of activations, from `first` on, and the part of a panel from `lane` on: 4-bit codes. The
/// totals go to `results`, 16 numbers a row.
TARGET INLINE void multiply_part_4bit(const qk_multiply_arguments *a, size_t panel, size_t lane,
                                      size_t first, int rows, float *results) {
    const qk_packed_weight *w = &a->weight;
    const int8_table table = make_table(w->int8_values);
    const size_t groups = w->k / w->group, stride = a->rows;
    const uint8_t *codes = w->codes + panel * w->k * 8 + lane * 4;
    const float *scales = w->scales + panel * groups * QK_PANEL_ROWS + lane;
    const void *packed = a->x;
    vec totals[ROWS][VECTORS];
    FOR_EACH_SUM totals[row][v] = broadcast(0);
    for (size_t g = 0; g < groups; g++, scales += QK_PANEL_ROWS) {
        vec group_sums[ROWS][VECTORS];
        for (size_t e = 0; e < w->group; e += QK_INT8_RUN) {
            qk_int8_run run = qk_next_int8_run(&packed, stride, w->group - e);
            const int8_t *x = run.x + first * 4;
            int8_sums sums[ROWS][VECTORS];
            FOR_EACH_SUM sums[row][v] = no_products();
            for (size_t step = 0; step < run.count / 8; step++, codes += 64, x += 8 * stride) {
                int8_factors odd[ROWS], even[ROWS];
                UNROLL for (int row = 0; row < rows; row++) {
                    odd[row] = load_factors(x + 4 * row);
                    even[row] = load_factors(x + 4 * (stride + (size_t)row));
                }
                UNROLL for (int v = 0; v < VECTORS; v++) {
                    int8_weights odds, evens;
                    look_up(table, codes + 4 * LANES * v, &odds, &evens);
                    UNROLL for (int row = 0; row < rows; row++) {
                        add_products(&sums[row][v], odds, odd[row]);
                        add_products(&sums[row][v], evens, even[row]);
                    }
                }
            }
            FOR_EACH_SUM {
                vec sum = multiply(floats_of(sums[row][v]), broadcast(run.steps[first + (size_t)row]));
                group_sums[row][v] = e == 0 ? sum : add(group_sums[row][v], sum);
            }
        }
        FOR_EACH_SUM totals[row][v] =
            fused_multiply_add(group_sums[row][v], load_vec(scales + LANES * v), totals[row][v]);
    }
    FOR_EACH_SUM store_vec(results + (size_t)row * QK_PANEL_ROWS + lane + (size_t)(LANES * v),
                           multiply(totals[row][v], broadcast(w->int8_step)));
}

/// The same with 8-bit codes.
TARGET INLINE void multiply_part_8bit(const qk_multiply_arguments *a, size_t panel, size_t lane,
                                      size_t first, int rows, float *results) {
    const qk_packed_weight *w = &a->weight;
    const size_t stride = a->rows;
    const uint8_t *codes = w->codes + panel * w->k * QK_PANEL_ROWS + lane * 4;
    const float *scales = w->scales + panel * QK_PANEL_ROWS + lane;
    const void *packed = a->x;
    vec totals[ROWS][VECTORS];
    FOR_EACH_SUM totals[row][v] = broadcast(0);
    for (size_t start = 0; start < w->k; start += QK_INT8_RUN) {
        qk_int8_run run = qk_next_int8_run(&packed, stride, w->k - start);
        const int8_t *x = run.x + first * 4;
        int8_sums sums[ROWS][VECTORS];
        FOR_EACH_SUM sums[row][v] = no_products();
        for (size_t dword = 0; dword < run.count / 4; dword++, codes += 64, x += 4 * stride) {
            int8_factors own[ROWS];
            UNROLL for (int row = 0; row < rows; row++) own[row] = load_factors(x + 4 * row);
            UNROLL for (int v = 0; v < VECTORS; v++) {
                int8_weights four = load_weights(codes + 4 * LANES * v);
                UNROLL for (int row = 0; row < rows; row++)
                    add_products(&sums[row][v], four, own[row]);
            }
        }
        FOR_EACH_SUM totals[row][v] = fused_multiply_add(
            floats_of(sums[row][v]), broadcast(run.steps[first + (size_t)row]), totals[row][v]);
    }
    FOR_EACH_SUM store_vec(results + (size_t)row * QK_PANEL_ROWS + lane + (size_t)(LANES * v),
                           multiply(multiply(totals[row][v], load_vec(scales + LANES * v)),
                                    broadcast(QK_INT8_UNIT)));
}

TARGET INLINE void multiply_rows(const qk_multiply_arguments *a, size_t panel, size_t first,
                                 int rows, int is_4bit) {
    float results[ROWS * QK_PANEL_ROWS];
    for (size_t lane = 0; lane < QK_PANEL_ROWS; lane += LANES * VECTORS) {
        if (is_4bit)
            multiply_part_4bit(a, panel, lane, first, rows, results);
        else
            multiply_part_8bit(a, panel, lane, first, rows, results);
    }
    for (int row = 0; row < rows; row++)
        qk_store_totals(a, panel, first + (size_t)row, results + row * QK_PANEL_ROWS);
}

TARGET INLINE void multiply_panels(const qk_multiply_arguments *a, int is_4bit) {
    for (size_t panel = a->first_panel; panel < a->end_panel; panel++) {
#define MULTIPLY(row, rows) multiply_rows(a, panel, row, rows, is_4bit)
        FOR_EACH_ROW_BLOCK(a->rows, MULTIPLY);
#undef MULTIPLY
    }
}

TARGET INLINE void multiply_4bit(const qk_multiply_arguments *a) { multiply_panels(a, 1); }
TARGET INLINE void multiply_8bit(const qk_multiply_arguments *a) { multiply_panels(a, 0); }
