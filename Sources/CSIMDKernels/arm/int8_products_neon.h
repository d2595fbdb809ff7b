#ifndef QK_INT8_PRODUCTS_NEON_H
#define QK_INT8_PRODUCTS_NEON_H

#include "vec_neon.h"

#if defined(__aarch64__)

// What products in the int8 mode are made of; see multiply_int8_loop.h. Sums are those of a file that
// includes this.

typedef int8x16_t int8_factors;
typedef int8x16_t int8_weights;
typedef int8x16_t int8_table;

INLINE int8_factors load_factors(const int8_t *x) {
    return vreinterpretq_s8_u32(vld1q_dup_u32((const uint32_t *)x));
}

INLINE int8_weights load_weights(const uint8_t *codes) { return signed_codes(vld1q_u8(codes)); }

INLINE int8_table make_table(const int8_t *values) { return vld1q_s8(values); }

INLINE void look_up(int8_table table, const uint8_t *codes, int8_weights *odd, int8_weights *even) {
    uint8x16_t eight = vld1q_u8(codes);
    *odd = vqtbl1q_s8(table, vandq_u8(eight, vdupq_n_u8(15)));
    *even = vqtbl1q_s8(table, vshrq_n_u8(eight, 4));
}

#endif

#endif
