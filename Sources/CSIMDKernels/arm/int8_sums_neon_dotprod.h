#ifndef QK_INT8_SUMS_NEON_DOTPROD_H
#define QK_INT8_SUMS_NEON_DOTPROD_H

#include "int8_products_neon.h"

#if defined(__aarch64__)

/// Compiles a function for QK_FEATURE_NEON_DOTPROD.
#define TARGET __attribute__((target("dotprod")))

enum { VECTORS = 4, ROWS = 4 };

typedef int32x4_t int8_sums;

TARGET INLINE int8_sums no_products(void) { return vdupq_n_s32(0); }

TARGET INLINE void add_products(int8_sums *sums, int8_weights weights, int8_factors x) {
    *sums = vdotq_s32(*sums, weights, x);
}

TARGET INLINE vec floats_of(int8_sums sums) { return vcvtq_f32_s32(sums); }

#endif

#endif
