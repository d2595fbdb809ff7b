#pragma STDC FP_CONTRACT OFF

#include "../generic/multiply_4bit_rounded.h"
#include "vec_avx2.h"

#if defined(__x86_64__)

enum { VECTORS = 2, ROWS = 3, BLOCK = 6 };

typedef struct {
    __m256 low, high;
} code_table;

AVX2_FMA INLINE code_table make_table(const float *values) {
    return (code_table){_mm256_loadu_ps(values), _mm256_loadu_ps(values + 8)};
}

/// A dword for each row.
typedef struct {
    __m256i front, back;
} eight_codes;

AVX2_FMA INLINE eight_codes load_codes(const uint8_t *bytes) {
    return (eight_codes){_mm256_loadu_si256((const __m256i *)bytes),
                         _mm256_loadu_si256((const __m256i *)(bytes + 32))};
}

AVX2_FMA INLINE void look_up(const code_table *table, const eight_codes *codes, int i, vec *found) {
    found[0] = look_up_avx2(table->low, table->high, _mm256_srli_epi32(codes->front, 4 * i));
    found[1] = look_up_avx2(table->low, table->high, _mm256_srli_epi32(codes->back, 4 * i));
}

#include "../generic/multiply_4bit_loop.h"

AVX2_FMA void qk_multiply_4bit_float32_avx2(const qk_multiply_arguments *a) { multiply_panels(a); }

QK_DEFINE_ROUNDED(qk_multiply_4bit_bfloat16_avx2, qk_multiply_4bit_float32_avx2)

#endif
