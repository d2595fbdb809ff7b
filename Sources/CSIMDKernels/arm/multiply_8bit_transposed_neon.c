#pragma STDC FP_CONTRACT OFF

#include "../generic/multiply_transposed_loop.h"
#include "../generic/panel_8bit.h"
#include "neon.h"

#if defined(__aarch64__)

/// Sixteen columns of a row at a time: columns 1 3 5 7 and 0 2 4 6 of two eights.
INLINE void decode_neon(const qk_packed_weight *w, size_t first_column, size_t panel, float *out) {
    const panel_part_8bit part = part_of_panel_8bit(w, first_column, panel);
    for (size_t row = 0; row < QK_PANEL_ROWS; row++) {
        for (size_t eight = 0; eight < QK_COLUMN_TILE / 8; eight += 2) {
            uint32_t odd[2], even[2];
            for (size_t i = 0; i < 2; i++) {
                memcpy(&odd[i], part.eights[eight + i] + row * 4, 4);
                memcpy(&even[i], part.eights[eight + i] + 64 + row * 4, 4);
            }
            uint8x8_t odds = vreinterpret_u8_u32(vld1_u32(odd));
            uint8x8_t evens = vreinterpret_u8_u32(vld1_u32(even));
            float32x4_t found[4];
            widen_codes(vcombine_u8(vzip1_u8(evens, odds), vzip2_u8(evens, odds)), found);
            for (size_t v = 0; v < 4; v++, out += 4)
                vst1q_f32(out, vmulq_n_f32(vmulq_n_f32(found[v], part.scales[row]), QK_INT8_UNIT));
        }
    }
}

QK_DEFINE_TRANSPOSED(8bit, neon, , decode_neon, 1)

#endif
