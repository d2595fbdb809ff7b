#pragma STDC FP_CONTRACT OFF

#include "search_4bit_avx2.h"
#include "absmax_avx2.h"
#include "qk_quantize_4bit.h"

#if defined(__x86_64__)

// Elements that are quantized together: 16 bytes of codes.
enum { GROUP = 32 };

typedef search_tables_4bit search_tables;

/// Quantizes 32 elements, scaled by multiplication, to 16 bytes.
AVX2 INLINE void quantize_group(const char *input, qk_float_type type, size_t count, float factor,
                                const search_tables *tables, int magnitude_rule, uint8_t *codes) {
    (void)count; // always GROUP
    __m256 reciprocal = _mm256_set1_ps(factor);
    __m256 x[4];
    __m128i order;
    if (type == QK_BFLOAT16) {
        __m256i zero = _mm256_setzero_si256();
        __m256i low = _mm256_loadu_si256((const __m256i *)input);
        __m256i high = _mm256_loadu_si256((const __m256i *)(input + 32));
        x[0] = _mm256_castsi256_ps(_mm256_unpacklo_epi16(zero, low));  // 0-3, 8-11
        x[1] = _mm256_castsi256_ps(_mm256_unpackhi_epi16(zero, low));  // 4-7, 12-15
        x[2] = _mm256_castsi256_ps(_mm256_unpacklo_epi16(zero, high)); // 16-19, 24-27
        x[3] = _mm256_castsi256_ps(_mm256_unpackhi_epi16(zero, high)); // 20-23, 28-31
        order = _mm_setr_epi8(0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15);
    } else {
        for (int i = 0; i < 4; i++)
            x[i] = type == QK_FLOAT32
                       ? _mm256_loadu_ps((const float *)input + 8 * i)
                       : _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)input + i));
        order = _mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15);
    }
    __m256i n[4];
    for (int i = 0; i < 4; i++)
        n[i] = negated_ranks(_mm256_mul_ps(x[i], reciprocal), tables, magnitude_rule);
    // Halves: [0-3, 8-11, 16-19, 24-27] and [4-7, 12-15, 20-23, 28-31];
    // with bfloat16 [0-7, 16-23] and [8-15, 24-31].
    __m256i ranks = _mm256_packs_epi16(_mm256_packs_epi32(n[0], n[1]),
                                       _mm256_packs_epi32(n[2], n[3]));
    ranks = _mm256_and_si256(ranks, _mm256_set1_epi8(15));
    __m256i nibbles = _mm256_shuffle_epi8(tables->codes, ranks);
    // 16 times the even element plus the odd one.
    __m256i pairs = _mm256_maddubs_epi16(nibbles, _mm256_set1_epi16(0x0110));
    __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(pairs),
                                     _mm256_extracti128_si256(pairs, 1));
    _mm_storeu_si128((__m128i *)codes, _mm_shuffle_epi8(bytes, order));
}

#define find_absmax absmax_avx2

#define TARGET AVX2
#include "../generic/quantize_4bit_loop.h"

AVX2 void qk_quantize_4bit_avx2(const void *input, qk_float_type type, size_t count,
                                size_t block_size, const qk_codebook_4bit *codebook,
                                const float *scales, void *codes, float *absmax) {
    quantize_all(input, type, count, block_size, codebook, scales, codes, absmax);
}

#endif
