#pragma STDC FP_CONTRACT OFF

#include "vec_neon.h"

#if defined(__aarch64__)

#define TARGET

enum { VECTORS = 4, ROWS = 4 };

/// Byte i of the dword of each row.
typedef uint8x16x4_t four_codes;

INLINE four_codes load_codes(const uint8_t *codes) { return vld4q_u8(codes); }

INLINE void widen(const four_codes *codes, int i, vec *found) { widen_codes(codes->val[i], found); }

#include "../generic/multiply_8bit_loop.h"

void qk_multiply_8bit_float32_neon(const qk_multiply_arguments *a) { multiply_panels(a); }

#endif
