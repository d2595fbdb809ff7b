#pragma STDC FP_CONTRACT OFF

#include "../generic/error_4bit.h"
#include "absmax_avx2.h"
#include "search_4bit_avx2.h"

#if defined(__x86_64__)

#define TARGET AVX2

typedef struct {
    search_tables_4bit thresholds;
    __m256 values[2]; // by the low 3 bits of -rank, for ranks 0, 9-15 and 1-8
} search_tables;

AVX2 INLINE search_tables make_search_tables(const qk_codebook_4bit *codebook) {
    float values[16];
    for (unsigned rank = 0; rank < 16; rank++)
        values[-rank & 15] = codebook->values[codebook->code_of_rank[rank]];
    search_tables tables;
    tables.thresholds = make_tables(codebook);
    tables.values[0] = _mm256_loadu_ps(values);
    tables.values[1] = _mm256_loadu_ps(values + 8);
    return tables;
}

/// Returns the square error of eight elements.
AVX2 INLINE __m256 error_8(const char *input, qk_float_type type, float power, float a,
                           __m256 reciprocal, const search_tables *tables, int magnitude_rule) {
    __m256 x = _mm256_mul_ps(load_avx2(input, type), _mm256_set1_ps(power));
    __m256i n = negated_ranks(_mm256_mul_ps(x, reciprocal), &tables->thresholds, magnitude_rule);
    __m256 value = look_up_avx2(tables->values[0], tables->values[1], n);
    __m256 d = _mm256_sub_ps(x, _mm256_mul_ps(value, _mm256_set1_ps(a)));
    return _mm256_mul_ps(d, d);
}

AVX2 INLINE float block_error(const char *input, qk_float_type type, size_t count, float power,
                              float a, const search_tables *tables, int magnitude_rule) {
    __m256 reciprocal = _mm256_set1_ps(1.0f / a), low = _mm256_setzero_ps(), high = low;
    size_t size = qk_float_size(type), i = 0;
#define ERROR_8(from) error_8(from, type, power, a, reciprocal, tables, magnitude_rule)
    for (; i + 16 <= count; i += 16) {
        low = _mm256_add_ps(low, ERROR_8(input + i * size));
        high = _mm256_add_ps(high, ERROR_8(input + (i + 8) * size));
    }
    float lanes[16];
    _mm256_storeu_ps(lanes, low);
    _mm256_storeu_ps(lanes + 8, high);
    if (i < count) {
        char padded[64] = {0};
        float errors[16];
        memcpy(padded, input + i * size, (count - i) * size);
        _mm256_storeu_ps(errors, ERROR_8(padded));
        _mm256_storeu_ps(errors + 8, ERROR_8(padded + 8 * size));
        for (size_t l = 0; l < count - i; l++)
            lanes[l] += errors[l];
    }
#undef ERROR_8
    return qk_join_error_4bit(lanes);
}

#define find_absmax absmax_avx2

#include "../generic/scale_search_4bit_loop.h"

AVX2 void qk_scale_search_4bit_avx2(const void *input, qk_float_type type, size_t count,
                                    size_t block_size, const qk_codebook_4bit *codebook,
                                    float *scales) {
    search_all(input, type, count, block_size, codebook, scales);
}

#endif
