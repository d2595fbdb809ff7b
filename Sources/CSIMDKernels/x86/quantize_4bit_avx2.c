#pragma STDC FP_CONTRACT OFF

#include "absmax_avx2.h"
#include "qk_quantize_4bit.h"

#if defined(__x86_64__)

// Elements that are quantized together: 16 bytes of codes.
enum { GROUP = 32 };

// A binary search in four steps, eight elements at a time. Masks are 0 or -1, so that
// n = 2 n + mask builds the negated rank -k, and the tables are indexed by the low bits of -k.
typedef struct {
    __m256 first;               // threshold of step 1, in all elements
    __m256 second[2];           // step 2, by the result of step 1, in all elements
    __m256 third;               // step 3: four values, in both halves
    __m256 fourth;              // step 4: eight values
    __m256i codes;              // code by the low 4 bits of -rank, in both halves
} search_tables;

AVX2 INLINE search_tables make_tables(const qk_codebook_4bit *codebook) {
    const float *t = codebook->thresholds;
    // With the magnitude rule step 1 finds the sign and both its results lead to the same tree.
    unsigned wrap = codebook->magnitude_rule ? 8 : 16;
    float third[8], fourth[8];
    uint8_t codes[16];
    for (unsigned k = 0; k < 4; k++)
        third[-k & 3] = third[(-k & 3) + 4] = t[(4 * k + 1) % wrap];
    for (unsigned k = 0; k < 8; k++)
        fourth[-k & 7] = t[2 * k % wrap];
    for (unsigned k = 0; k < 16; k++)
        codes[-k & 15] = codebook->code_of_rank[k];
    search_tables tables;
    tables.first = _mm256_set1_ps(t[7]);
    tables.second[0] = _mm256_set1_ps(t[3]);
    tables.second[1] = _mm256_set1_ps(t[11 % wrap]);
    tables.third = _mm256_loadu_ps(third);
    tables.fourth = _mm256_loadu_ps(fourth);
    tables.codes = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)codes));
    return tables;
}

/// Returns the negated ranks of eight scaled elements.
AVX2 INLINE __m256i negated_ranks(__m256 v, const search_tables *tables, int magnitude_rule) {
    __m256 above;
    if (magnitude_rule) {
        above = _mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_LT_OQ);
        v = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v);
    } else {
        above = _mm256_cmp_ps(v, tables->first, _CMP_GT_OQ);
    }
    __m256i n = _mm256_castps_si256(above);
    __m256 threshold = magnitude_rule
                           ? tables->second[0]
                           : _mm256_blendv_ps(tables->second[0], tables->second[1], above);
    above = _mm256_cmp_ps(v, threshold, _CMP_GT_OQ);
    n = _mm256_add_epi32(_mm256_add_epi32(n, n), _mm256_castps_si256(above));
    threshold = _mm256_permutevar_ps(tables->third, n);
    above = _mm256_cmp_ps(v, threshold, _CMP_GT_OQ);
    n = _mm256_add_epi32(_mm256_add_epi32(n, n), _mm256_castps_si256(above));
    threshold = _mm256_permutevar8x32_ps(tables->fourth, n);
    above = _mm256_cmp_ps(v, threshold, _CMP_GT_OQ);
    return _mm256_add_epi32(_mm256_add_epi32(n, n), _mm256_castps_si256(above));
}

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

AVX2 INLINE float find_absmax(const char *input, qk_float_type type, size_t count) {
    return absmax_avx2(input, type, count);
}

#define TARGET AVX2
#include "../generic/quantize_4bit_loop.h"

AVX2 void qk_quantize_4bit_avx2(const void *input, qk_float_type type, size_t count,
                                size_t block_size, const qk_codebook_4bit *codebook,
                                const float *scales, void *codes, float *absmax) {
    quantize_all(input, type, count, block_size, codebook, scales, codes, absmax);
}

#endif
