#ifndef QK_INT8_PRODUCTS_AVX2_H
#define QK_INT8_PRODUCTS_AVX2_H

#include "vec_avx2.h"

#if defined(__x86_64__)

// What products in the int8 mode are made of; see multiply_int8_loop.h.

typedef __m256i int8_factors;
typedef __m256i int8_table;
typedef __m256i int8_sums;

typedef struct {
    __m256i values, magnitudes;
} int8_weights;

AVX2_FMA INLINE int8_factors load_factors(const int8_t *x) {
    return _mm256_castps_si256(_mm256_broadcast_ss((const float *)x));
}

AVX2_FMA INLINE int8_weights with_magnitudes(__m256i values) {
    return (int8_weights){values, _mm256_abs_epi8(values)};
}

AVX2_FMA INLINE int8_weights load_weights(const uint8_t *codes) {
    return with_magnitudes(_mm256_xor_si256(_mm256_loadu_si256((const __m256i *)codes),
                                            _mm256_set1_epi8((char)0x80)));
}

AVX2_FMA INLINE int8_table make_table(const int8_t *values) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)values));
}

AVX2_FMA INLINE void look_up(int8_table table, const uint8_t *codes, int8_weights *odd,
                             int8_weights *even) {
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i eight = _mm256_loadu_si256((const __m256i *)codes);
    *odd = with_magnitudes(_mm256_shuffle_epi8(table, _mm256_and_si256(eight, nibble)));
    *even = with_magnitudes(
        _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(eight, 4), nibble)));
}

AVX2_FMA INLINE int8_sums no_products(void) { return _mm256_setzero_si256(); }

/// Magnitudes of weights without a sign, times activations with the sign of the product: 2 * 128 * 127 is
/// within 16 bits.
AVX2_FMA INLINE void add_products(int8_sums *sums, int8_weights weights, int8_factors x) {
    __m256i pairs =
        _mm256_maddubs_epi16(weights.magnitudes, _mm256_sign_epi8(x, weights.values));
    *sums = _mm256_add_epi32(*sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

AVX2_FMA INLINE vec floats_of(int8_sums sums) { return _mm256_cvtepi32_ps(sums); }

#endif

#endif
