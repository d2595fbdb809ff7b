#pragma STDC FP_CONTRACT OFF

#include "../generic/multiply_4bit_rounded.h"
#include "multiply_avx512.h"

#if defined(__x86_64__)

typedef float activation;
enum { ACTIVATIONS = 8 };
typedef __m512 code_table;

AVX512 INLINE code_table make_table(const float *values) { return _mm512_loadu_ps(values); }

AVX512 INLINE void add_eight(code_table table, const uint8_t *codes, const float *x, int rows,
                             __m512 *sums) {
    __m512i eight = _mm512_loadu_si512(codes);
    UNROLL for (int i = 0; i < 8; i++) {
        // Nibble i of each dword is element i ^ 1; only the low 4 bits of an index count.
        __m512 weight = _mm512_permutexvar_ps(_mm512_srli_epi32(eight, 4 * i), table);
        UNROLL for (int row = 0; row < rows; row++) sums[row] =
            _mm512_fmadd_ps(weight, _mm512_set1_ps(x[(i ^ 1) * rows + row]), sums[row]);
    }
}

#include "multiply_4bit_avx512_loop.h"

AVX512 void qk_multiply_4bit_float32_avx512(const qk_multiply_arguments *a) {
    FOR_EACH_ROW_COUNT(a, multiply_rows)
}

QK_DEFINE_ROUNDED(qk_multiply_4bit_bfloat16_avx512, qk_multiply_4bit_float32_avx512)

#endif
