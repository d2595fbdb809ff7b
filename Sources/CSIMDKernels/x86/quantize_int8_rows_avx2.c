#pragma STDC FP_CONTRACT OFF

#include "../generic/int8_row.h"
#include "absmax_avx2.h"

#if defined(__x86_64__)

// Elements that are quantized together.
enum { GROUP = 32 };

/// Returns eight elements, rounded to float16 and scaled.
AVX2 INLINE __m256 scaled(const char *input, qk_float_type type, size_t i, __m256 factor) {
    __m128i half;
    if (type == QK_FLOAT16) {
        half = _mm_loadu_si128((const __m128i *)(input + 2 * i));
    } else {
        __m256 x;
        if (type == QK_FLOAT32) {
            x = _mm256_loadu_ps((const float *)(input + 4 * i));
        } else {
            __m128i words = _mm_loadu_si128((const __m128i *)(input + 2 * i));
            x = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(words), 16));
        }
        half = _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
    }
    return _mm256_mul_ps(_mm256_cvtph_ps(half), factor);
}

AVX2 INLINE void quantize_row(const char *input, qk_float_type type, size_t count, float s,
                              int8_t *codes) {
    __m256 factor = _mm256_set1_ps(s);
    size_t i = 0;
    for (; i + GROUP <= count; i += GROUP) {
        __m256i n[4];
        for (int j = 0; j < 4; j++)
            n[j] = _mm256_cvtps_epi32(scaled(input, type, i + 8 * j, factor));
        // Halves: [0-3, 8-11, 16-19, 24-27] and [4-7, 12-15, 20-23, 28-31].
        __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(n[0], n[1]),
                                           _mm256_packs_epi32(n[2], n[3]));
        bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
        _mm256_storeu_si256((__m256i *)(codes + i), bytes);
    }
    qk_quantize_int8_run(input + i * (type == QK_FLOAT32 ? 4 : 2), type, count - i, s, codes + i);
}

#define TARGET AVX2
#define find_absmax absmax_avx2
#include "../generic/quantize_int8_rows_loop.h"

AVX2 void qk_quantize_int8_rows_avx2(const void *input, qk_float_type type, size_t row_count,
                                size_t column_count, void *codes, float *scales) {
    quantize_all(input, type, row_count, column_count, codes, scales);
}

#endif
