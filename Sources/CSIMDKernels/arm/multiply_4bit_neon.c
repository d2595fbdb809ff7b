#pragma STDC FP_CONTRACT OFF

#include "../generic/multiply_4bit_rounded.h"
#include "look_up_neon.h"
#include "vec_neon.h"

#if defined(__aarch64__)

#define TARGET

enum { VECTORS = 4, ROWS = 2, BLOCK = 6 };

/// Byte b of the dword of each row.
typedef uint8x16x4_t eight_codes;

INLINE eight_codes load_codes(const uint8_t *bytes) { return vld4q_u8(bytes); }

INLINE void look_up(const code_table *table, const eight_codes *codes, int i, vec *found) {
    uint8x16_t bytes = codes->val[i / 2];
    look_up_neon(table, i % 2 ? vshrq_n_u8(bytes, 4) : vandq_u8(bytes, vdupq_n_u8(15)), found);
}

#include "../generic/multiply_4bit_loop.h"

void qk_multiply_4bit_float32_neon(const qk_multiply_arguments *a) { multiply_panels(a); }

QK_DEFINE_ROUNDED(qk_multiply_4bit_bfloat16_neon, qk_multiply_4bit_float32_neon)

#endif
