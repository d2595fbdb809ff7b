#ifndef QK_VECTOR8_AVX2_H
#define QK_VECTOR8_AVX2_H

#include "../generic/vector8.h"
#include "avx2.h"

#if defined(__x86_64__)

AVX2 INLINE void load_8(const char *input, qk_float_type type, qk_f32x8 *x) {
    *x = (qk_f32x8)load_avx2(input, type);
}

AVX2 INLINE void narrow_f16_8(const qk_f32x8 *x, qk_u16x8 *halves) {
    *halves = (qk_u16x8)_mm256_cvtps_ph((__m256)*x, _MM_FROUND_TO_NEAREST_INT);
}

#endif

#endif
