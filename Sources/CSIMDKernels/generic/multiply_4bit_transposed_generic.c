#pragma STDC FP_CONTRACT OFF

#include "code_4bit.h"
#include "multiply_4bit_transposed_loop.h"

static inline void decode_generic(const qk_packed_4bit *w, const row_part *part, float *out) {
    memset(out, 0, QK_COLUMN_TILE * sizeof *out);
    for (size_t column = 0; column < part->width; column++) {
        unsigned code = qk_code_at(part->dwords + column / 8 * 64, column % 8);
        out[column] = w->values[code] * scale_at(w, part, column);
    }
}

QK_DEFINE_TRANSPOSED(qk_multiply_4bit_transposed_generic, , decode_generic)
