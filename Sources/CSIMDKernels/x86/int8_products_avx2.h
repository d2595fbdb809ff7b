#ifndef QK_INT8_PRODUCTS_AVX2_H
#define QK_INT8_PRODUCTS_AVX2_H

#include "avx2.h"

#if defined(__x86_64__)

#define UNROLL _Pragma("GCC unroll 8")

/// Adds the products of four pairs of bytes to the sums of each lane: magnitudes of weights without
/// a sign, times activations with the sign of the product. 2 * 128 * 127 is within 16 bits.
AVX2_FMA INLINE __m256i add_products(__m256i sum, __m256i weight, __m256i magnitude, int32_t x) {
    __m256i factor = _mm256_sign_epi8(_mm256_set1_epi32(x), weight);
    __m256i pairs = _mm256_maddubs_epi16(magnitude, factor);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

#endif
#endif
