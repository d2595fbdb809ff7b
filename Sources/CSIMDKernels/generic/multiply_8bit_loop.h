// Products with 8-bit weights in float32 for registers that hold a part of a panel's 16 rows. A file that
// includes this defines
//   TARGET         the attribute that sets its instruction set; INLINE
//   vec, VECTORS   a register of float32, and how many hold 16
//   LANES          16 / VECTORS
//   ROWS (3 or 4)  the rows of activations that have sums in registers
//   load_vec, store_vec, broadcast, add, multiply, fused_multiply_add(a, b, c) = a * b + c
//   four_codes, load_codes(bytes)   codes of four columns and 16 rows
//   widen(codes, i, found)          those of column i
// It then has multiply_panels, which computes what qk_multiply.h says of float32.

#include "multiply_store.h"
#include "row_sums.h"

/// `rows` rows of activations, from `first` on, and one panel.
TARGET INLINE void multiply_panel(const qk_multiply_arguments *a, size_t panel, size_t first, int rows) {
    const size_t k = a->weight.k, stride = a->rows;
    const uint8_t *codes = a->weight.codes + panel * k * QK_PANEL_ROWS;
    const float *scales = a->weight.scales + panel * QK_PANEL_ROWS;
    const float *x = (const float *)a->x + first;
    vec totals[ROWS][VECTORS];
    FOR_EACH_SUM totals[row][v] = broadcast(0);
    for (size_t start = 0; start < k; start += QK_INT8_RUN) {
        size_t count = k - start < QK_INT8_RUN ? k - start : QK_INT8_RUN;
        vec sums[ROWS][VECTORS];
        FOR_EACH_SUM sums[row][v] = broadcast(0);
        for (size_t dword = 0; dword < count / 4; dword++, codes += 64) {
            // Columns 1 3 5 7 of an eight, then 0 2 4 6.
            const float *own = x + (dword % 2 ? 0 : stride);
            const four_codes four = load_codes(codes);
            UNROLL for (int i = 0; i < 4; i++) {
                vec found[VECTORS];
                widen(&four, i, found);
                UNROLL for (int row = 0; row < rows; row++) {
                    vec factor = broadcast(own[2 * (size_t)i * stride + (size_t)row]);
                    UNROLL for (int v = 0; v < VECTORS; v++)
                        sums[row][v] = fused_multiply_add(found[v], factor, sums[row][v]);
                }
            }
            x += dword % 2 ? 8 * stride : 0;
        }
        FOR_EACH_SUM totals[row][v] = add(totals[row][v], sums[row][v]);
    }
    UNROLL for (int row = 0; row < rows; row++) {
        float numbers[QK_PANEL_ROWS];
        UNROLL for (int v = 0; v < VECTORS; v++) store_vec(
            numbers + LANES * v, multiply(multiply(totals[row][v], load_vec(scales + LANES * v)),
                                          broadcast(QK_INT8_UNIT)));
        qk_store_totals(a, panel, first + (size_t)row, numbers);
    }
}

TARGET INLINE void multiply_panels(const qk_multiply_arguments *a) {
    for (size_t panel = a->first_panel; panel < a->end_panel; panel++) {
#define MULTIPLY(row, rows) multiply_panel(a, panel, row, rows)
        FOR_EACH_ROW_BLOCK(a->rows, MULTIPLY);
#undef MULTIPLY
    }
}
