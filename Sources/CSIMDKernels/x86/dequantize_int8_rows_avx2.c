#pragma STDC FP_CONTRACT OFF

#include "avx2.h"

#if defined(__x86_64__)

// Elements that are decoded together.
enum { GROUP = 16, ALIGNMENT = 32 };

/// Returns eight elements before their rounding.
AVX2 INLINE __m256 scaled(const int8_t *codes, __m256 scale) {
    __m256i n = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)codes));
    __m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(n), scale);
    return _mm256_mul_ps(product, _mm256_set1_ps(QK_INT8_UNIT));
}

AVX2 INLINE void decode_group(const int8_t *codes, float a, qk_float_type type, char *out,
                              int streaming) {
    __m256 scale = _mm256_set1_ps(a);
    __m256 low = scaled(codes, scale), high = scaled(codes + 8, scale);
    if (type == QK_FLOAT32) {
        store_avx2(out, _mm256_castps_si256(low), streaming);
        store_avx2(out + 32, _mm256_castps_si256(high), streaming);
    } else if (type == QK_BFLOAT16) {
        // 0-3, 8-11 and 4-7, 12-15; the permutation brings them in order.
        __m256i halves = _mm256_packus_epi32(narrow_bf16_avx2(_mm256_castps_si256(low)),
                                             narrow_bf16_avx2(_mm256_castps_si256(high)));
        store_avx2(out, _mm256_permute4x64_epi64(halves, 0xd8), streaming);
    } else {
        __m128i front = _mm256_cvtps_ph(low, _MM_FROUND_TO_NEAREST_INT);
        __m128i back = _mm256_cvtps_ph(high, _MM_FROUND_TO_NEAREST_INT);
        __m256i halves = _mm256_inserti128_si256(_mm256_castsi128_si256(front), back, 1);
        store_avx2(out, halves, streaming);
    }
}

#define TARGET AVX2
#include "../generic/dequantize_int8_rows_loop.h"

AVX2 void qk_dequantize_int8_rows_avx2(const void *codes, const float *scales, size_t row_count,
                                       size_t column_count, void *out, qk_float_type type,
                                       int streaming) {
    if (dequantize_all(codes, scales, row_count, column_count, out, type, streaming))
        _mm_sfence();
}

#endif
