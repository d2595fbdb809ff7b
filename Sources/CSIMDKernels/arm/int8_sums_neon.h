#ifndef QK_INT8_SUMS_NEON_H
#define QK_INT8_SUMS_NEON_H

#include "int8_products_neon.h"

#if defined(__aarch64__)

#define TARGET

enum { VECTORS = 4, ROWS = 2 };

/// Of two columns each: the first two rows of the weight, then the others.
typedef int32x4x2_t int8_sums;

INLINE int8_sums no_products(void) { return (int8_sums){{vdupq_n_s32(0), vdupq_n_s32(0)}}; }

INLINE void add_products(int8_sums *sums, int8_weights weights, int8_factors x) {
    int16x8_t low = vmull_s8(vget_low_s8(weights), vget_low_s8(x));
    sums->val[0] = vpadalq_s16(sums->val[0], low);
    sums->val[1] = vpadalq_s16(sums->val[1], vmull_high_s8(weights, x));
}

INLINE vec floats_of(int8_sums sums) {
    return vcvtq_f32_s32(vpaddq_s32(sums.val[0], sums.val[1]));
}

#endif

#endif
