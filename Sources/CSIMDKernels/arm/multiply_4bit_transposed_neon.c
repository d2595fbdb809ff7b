#pragma STDC FP_CONTRACT OFF

#include "../generic/multiply_transposed_loop.h"
#include "../generic/panel_4bit.h"
#include "look_up_neon.h"

#if defined(__aarch64__)

/// Four dwords of eight codes at a time; the first code of a byte is the high one.
INLINE void decode_neon(const qk_packed_weight *w, size_t first_column, size_t panel, float *out) {
    const panel_part part = part_of_panel(w, first_column, panel);
    const code_table table = make_table(w->values);
    for (size_t row = 0; row < QK_PANEL_ROWS; row++) {
        for (size_t eight = 0; eight < EIGHTS; eight += 4) {
            uint32_t dwords[4];
            for (size_t i = 0; i < 4; i++)
                memcpy(&dwords[i], part.codes[eight + i] + row * 4, 4);
            uint8x16_t bytes = vreinterpretq_u8_u32(vld1q_u32(dwords));
            uint8x16_t high = vshrq_n_u8(bytes, 4), low = vandq_u8(bytes, vdupq_n_u8(15));
            for (size_t half = 0; half < 2; half++) {
                float32x4_t found[4];
                look_up_neon(&table, half ? vzip2q_u8(high, low) : vzip1q_u8(high, low), found);
                for (size_t v = 0; v < 4; v++, out += 4) {
                    float scale = part.scales[eight + 2 * half + v / 2][row];
                    vst1q_f32(out, vmulq_n_f32(found[v], scale));
                }
            }
        }
    }
}

QK_DEFINE_TRANSPOSED(4bit, neon, , decode_neon, 1)

#endif
