#pragma STDC FP_CONTRACT OFF

#include "avx512.h"

#if defined(__x86_64__)

// Elements that are decoded together: one vector of the narrowest output.
enum { GROUP = 32, ALIGNMENT = 64 };

/// Returns 16 elements before their rounding.
AVX512 INLINE __m512 scaled(const int8_t *codes, __m512 scale) {
    __m512i n = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)codes));
    __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(n), scale);
    return _mm512_mul_ps(product, _mm512_set1_ps(QK_INT8_UNIT));
}

AVX512 INLINE __m256i narrow(__m512 x, qk_float_type type) {
    return type == QK_BFLOAT16 ? narrow_bf16_avx512(_mm512_castps_si512(x))
                               : _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
}

AVX512 INLINE void decode_group(const int8_t *codes, float a, qk_float_type type, char *out,
                                int streaming) {
    __m512 scale = _mm512_set1_ps(a), front = scaled(codes, scale), back = scaled(codes + 16, scale);
    if (type == QK_FLOAT32) {
        store_avx512(out, _mm512_castps_si512(front), ~0ull, streaming);
        store_avx512(out + 64, _mm512_castps_si512(back), ~0ull, streaming);
    } else {
        __m512i halves = _mm512_castsi256_si512(narrow(front, type));
        halves = _mm512_inserti64x4(halves, narrow(back, type), 1);
        store_avx512(out, halves, ~0ull, streaming);
    }
}

#define TARGET AVX512
#include "../generic/dequantize_int8_rows_loop.h"

AVX512 void qk_dequantize_int8_rows_avx512(const void *codes, const float *scales,
                                           size_t row_count, size_t column_count, void *out,
                                           qk_float_type type, int streaming) {
    if (dequantize_all(codes, scales, row_count, column_count, out, type, streaming))
        _mm_sfence();
}

#endif
