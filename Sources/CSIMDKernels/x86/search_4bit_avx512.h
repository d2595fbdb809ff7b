#ifndef QK_SEARCH_4BIT_AVX512_H
#define QK_SEARCH_4BIT_AVX512_H

#include "avx512.h"
#include "qk_quantize_4bit.h"

#if defined(__x86_64__)

// A binary search in four steps, sixteen elements at a time. The results so far are the upper bits
// of the rank, and the rank with zeros below is the index into the next table.
typedef struct {
    __m512 first;     // threshold of step 1, in all elements
    __m512 second[2]; // step 2, by the result of step 1, in all elements
    __m512 third;     // step 3, at indices 0, 4, 8, 12
    __m512 fourth;    // step 4, at even indices
    __m512i codes;    // code by rank, in each quarter
} search_tables_4bit;

AVX512 INLINE search_tables_4bit make_tables(const qk_codebook_4bit *codebook) {
    const float *t = codebook->thresholds;
    // With the magnitude rule step 1 finds the sign and both its results lead to the same tree.
    unsigned wrap = codebook->magnitude_rule ? 8 : 16;
    float third[16] = {0}, fourth[16] = {0};
    for (unsigned rank = 0; rank < 16; rank += 4)
        third[rank] = t[(rank + 1) % wrap];
    for (unsigned rank = 0; rank < 16; rank += 2)
        fourth[rank] = t[rank % wrap];
    search_tables_4bit tables;
    tables.first = _mm512_set1_ps(t[7]);
    tables.second[0] = _mm512_set1_ps(t[3]);
    tables.second[1] = _mm512_set1_ps(t[11 % wrap]);
    tables.third = _mm512_loadu_ps(third);
    tables.fourth = _mm512_loadu_ps(fourth);
    tables.codes =
        _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)codebook->code_of_rank));
    return tables;
}

/// Returns the ranks of sixteen scaled elements.
AVX512 INLINE __m512i ranks(__m512 v, const search_tables_4bit *tables, int magnitude_rule) {
    __mmask16 above;
    if (magnitude_rule) {
        above = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LT_OQ);
        v = _mm512_abs_ps(v);
    } else {
        above = _mm512_cmp_ps_mask(v, tables->first, _CMP_GT_OQ);
    }
    __m512i rank = _mm512_maskz_set1_epi32(above, 8);
    __m512 threshold =
        magnitude_rule ? tables->second[0]
                       : _mm512_mask_blend_ps(above, tables->second[0], tables->second[1]);
    above = _mm512_cmp_ps_mask(v, threshold, _CMP_GT_OQ);
    rank = _mm512_mask_or_epi32(rank, above, rank, _mm512_set1_epi32(4));
    above = _mm512_cmp_ps_mask(v, _mm512_permutexvar_ps(rank, tables->third), _CMP_GT_OQ);
    rank = _mm512_mask_or_epi32(rank, above, rank, _mm512_set1_epi32(2));
    above = _mm512_cmp_ps_mask(v, _mm512_permutexvar_ps(rank, tables->fourth), _CMP_GT_OQ);
    return _mm512_mask_or_epi32(rank, above, rank, _mm512_set1_epi32(1));
}

#endif

#endif
