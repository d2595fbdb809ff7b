#pragma STDC FP_CONTRACT OFF

#include "../generic/multiply_4bit_rounded.h"
#include "neon.h"

#if defined(__aarch64__)

#define TARGET

typedef float32x4_t vec;
enum { LANES = 4, VECTORS = 4, ROWS = 2, BLOCK = 6 };

#define load_vec vld1q_f32
#define store_vec vst1q_f32
#define broadcast(value) vdupq_n_f32(value)
#define fused_multiply_add(a, b, c) vfmaq_f32(c, a, b)

/// Byte p of value c is byte c of plane p.
typedef uint8x16x4_t code_table;

INLINE code_table make_table(const float *values) { return vld4q_u8((const uint8_t *)values); }

/// Byte b of the dword of each row.
typedef uint8x16x4_t eight_codes;

INLINE eight_codes load_codes(const uint8_t *bytes) { return vld4q_u8(bytes); }

INLINE void look_up(const code_table *table, const eight_codes *codes, int i, vec *found) {
    uint8x16_t bytes = codes->val[i / 2];
    uint8x16_t index = i % 2 ? vshrq_n_u8(bytes, 4) : vandq_u8(bytes, vdupq_n_u8(15));
    uint8x16_t plane[4];
    for (int p = 0; p < 4; p++)
        plane[p] = vqtbl1q_u8(table->val[p], index);
    for (int half = 0; half < 2; half++) {
        uint16x8_t low = vreinterpretq_u16_u8(half ? vzip2q_u8(plane[0], plane[1])
                                                   : vzip1q_u8(plane[0], plane[1]));
        uint16x8_t high = vreinterpretq_u16_u8(half ? vzip2q_u8(plane[2], plane[3])
                                                    : vzip1q_u8(plane[2], plane[3]));
        found[2 * half] = vreinterpretq_f32_u16(vzip1q_u16(low, high));
        found[2 * half + 1] = vreinterpretq_f32_u16(vzip2q_u16(low, high));
    }
}

#include "../generic/multiply_4bit_loop.h"

void qk_multiply_4bit_float32_neon(const qk_multiply_arguments *a) { multiply_panels(a); }

QK_DEFINE_ROUNDED(qk_multiply_4bit_bfloat16_neon, qk_multiply_4bit_float32_neon)

#endif
