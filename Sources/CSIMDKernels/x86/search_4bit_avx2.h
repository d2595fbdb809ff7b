#ifndef QK_SEARCH_4BIT_AVX2_H
#define QK_SEARCH_4BIT_AVX2_H

#include "avx2.h"
#include "qk_quantize_4bit.h"

#if defined(__x86_64__)

// A binary search in four steps, eight elements at a time. Masks are 0 or -1, so that
// n = 2 n + mask builds the negated rank -k, and the tables are indexed by the low bits of -k.
typedef struct {
    __m256 first;               // threshold of step 1, in all elements
    __m256 second[2];           // step 2, by the result of step 1, in all elements
    __m256 third;               // step 3: four values, in both halves
    __m256 fourth;              // step 4: eight values
    __m256i codes;              // code by the low 4 bits of -rank, in both halves
} search_tables_4bit;

AVX2 INLINE search_tables_4bit make_tables(const qk_codebook_4bit *codebook) {
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
    search_tables_4bit tables;
    tables.first = _mm256_set1_ps(t[7]);
    tables.second[0] = _mm256_set1_ps(t[3]);
    tables.second[1] = _mm256_set1_ps(t[11 % wrap]);
    tables.third = _mm256_loadu_ps(third);
    tables.fourth = _mm256_loadu_ps(fourth);
    tables.codes = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)codes));
    return tables;
}

/// Returns the negated ranks of eight scaled elements.
AVX2 INLINE __m256i negated_ranks(__m256 v, const search_tables_4bit *tables, int magnitude_rule) {
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

#endif

#endif
