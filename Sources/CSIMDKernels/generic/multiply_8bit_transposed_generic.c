#pragma STDC FP_CONTRACT OFF

#include "multiply_transposed_loop.h"
#include "panel_8bit.h"

static inline void decode_generic(const qk_packed_weight *w, size_t first_column, size_t panel,
                                  float *out) {
    const panel_part_8bit part = part_of_panel_8bit(w, first_column, panel);
    for (size_t row = 0; row < QK_PANEL_ROWS; row++) {
        for (size_t column = 0; column < QK_COLUMN_TILE; column++) {
            const uint8_t *half = part.eights[column / 8] + (column % 2 ? 0 : 64);
            int code = half[row * 4 + column % 8 / 2] - 128;
            *out++ = (float)code * part.scales[row] * QK_INT8_UNIT;
        }
    }
}

QK_DEFINE_TRANSPOSED(8bit, generic, , decode_generic, 1)
