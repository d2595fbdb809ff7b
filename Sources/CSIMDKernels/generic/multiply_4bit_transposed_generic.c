#pragma STDC FP_CONTRACT OFF

#include "code_4bit.h"
#include "multiply_transposed_loop.h"
#include "panel_4bit.h"

static inline void decode_generic(const qk_packed_weight *w, size_t first_column, size_t panel,
                                  float *out) {
    const panel_part part = part_of_panel(w, first_column, panel);
    for (size_t row = 0; row < QK_PANEL_ROWS; row++) {
        for (size_t column = 0; column < QK_COLUMN_TILE; column++) {
            unsigned code = qk_code_at(part.codes[column / 8] + row * 4, column % 8);
            *out++ = w->values[code] * part.scales[column / 8][row];
        }
    }
}

QK_DEFINE_TRANSPOSED(4bit, generic, , decode_generic, 1)
