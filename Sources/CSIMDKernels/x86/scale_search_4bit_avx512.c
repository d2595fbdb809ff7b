#pragma STDC FP_CONTRACT OFF

#include "../generic/error_4bit.h"
#include "search_4bit_avx512.h"

#if defined(__x86_64__)

#define TARGET AVX512

typedef struct {
    search_tables_4bit thresholds;
    __m512 values; // by rank
} search_tables;

AVX512 INLINE search_tables make_search_tables(const qk_codebook_4bit *codebook) {
    float values[16];
    for (unsigned rank = 0; rank < 16; rank++)
        values[rank] = codebook->values[codebook->code_of_rank[rank]];
    search_tables tables;
    tables.thresholds = make_tables(codebook);
    tables.values = _mm512_loadu_ps(values);
    return tables;
}

AVX512 INLINE float block_error(const char *input, qk_float_type type, size_t count, float power,
                                float a, const search_tables *tables, int magnitude_rule) {
    __m512 reciprocal = _mm512_set1_ps(1.0f / a), sum = _mm512_setzero_ps();
    for (size_t i = 0; i < count; i += 16) {
        __mmask16 mask = first16(count - i, 0);
        __m512 x = load_avx512(input + i * qk_float_size(type), type, mask);
        x = _mm512_mul_ps(x, _mm512_set1_ps(power));
        __m512i rank =
            ranks(_mm512_mul_ps(x, reciprocal), &tables->thresholds, magnitude_rule);
        __m512 value = _mm512_permutexvar_ps(rank, tables->values);
        __m512 d = _mm512_sub_ps(x, _mm512_mul_ps(value, _mm512_set1_ps(a)));
        sum = _mm512_mask_add_ps(sum, mask, sum, _mm512_mul_ps(d, d));
    }
    float lanes[16];
    _mm512_storeu_ps(lanes, sum);
    return qk_join_error_4bit(lanes);
}

#define find_absmax absmax_avx512

#include "../generic/scale_search_4bit_loop.h"

AVX512 void qk_scale_search_4bit_avx512(const void *input, qk_float_type type, size_t count,
                                        size_t block_size, const qk_codebook_4bit *codebook,
                                        float *scales) {
    search_all(input, type, count, block_size, codebook, scales);
}

#endif
