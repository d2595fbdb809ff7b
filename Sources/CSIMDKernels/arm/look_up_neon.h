#ifndef QK_LOOK_UP_NEON_H
#define QK_LOOK_UP_NEON_H

#include "neon.h"

#if defined(__aarch64__)

/// The values of 4-bit codes: byte p of value c is byte c of plane p.
typedef uint8x16x4_t code_table;

INLINE code_table make_table(const float *values) { return vld4q_u8((const uint8_t *)values); }

/// Looks up 16 codes.
INLINE void look_up_neon(const code_table *table, uint8x16_t codes, float32x4_t *found) {
    uint8x16_t plane[4];
    for (int p = 0; p < 4; p++)
        plane[p] = vqtbl1q_u8(table->val[p], codes);
    for (int half = 0; half < 2; half++) {
        uint16x8_t low = vreinterpretq_u16_u8(half ? vzip2q_u8(plane[0], plane[1])
                                                   : vzip1q_u8(plane[0], plane[1]));
        uint16x8_t high = vreinterpretq_u16_u8(half ? vzip2q_u8(plane[2], plane[3])
                                                    : vzip1q_u8(plane[2], plane[3]));
        found[2 * half] = vreinterpretq_f32_u16(vzip1q_u16(low, high));
        found[2 * half + 1] = vreinterpretq_f32_u16(vzip2q_u16(low, high));
    }
}

#endif

#endif
