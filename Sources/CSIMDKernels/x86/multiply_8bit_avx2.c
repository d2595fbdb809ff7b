#pragma STDC FP_CONTRACT OFF

#include "vec_avx2.h"

#if defined(__x86_64__)

enum { VECTORS = 2, ROWS = 3 };

/// A dword for each row, with the sign of its bytes.
typedef struct {
    __m256i halves[VECTORS];
} four_codes;

TARGET INLINE four_codes load_codes(const uint8_t *codes) {
    const __m256i sign = _mm256_set1_epi8((char)0x80);
    const __m256i *halves = (const __m256i *)codes;
    return (four_codes){{_mm256_xor_si256(_mm256_loadu_si256(halves), sign),
                         _mm256_xor_si256(_mm256_loadu_si256(halves + 1), sign)}};
}

TARGET INLINE void widen(const four_codes *codes, int i, vec *found) {
    for (int v = 0; v < VECTORS; v++)
        found[v] = _mm256_cvtepi32_ps(
            _mm256_srai_epi32(_mm256_slli_epi32(codes->halves[v], 24 - 8 * i), 24));
}

#include "../generic/multiply_8bit_loop.h"

TARGET void qk_multiply_8bit_float32_avx2(const qk_multiply_arguments *a) { multiply_panels(a); }

#endif
