#pragma STDC FP_CONTRACT OFF

#include "avx512_bf16.h"

#include "multiply_avx512.h"

#if defined(__x86_64__)

/// A pair of bfloat16.
typedef uint32_t activation;
enum { ACTIVATIONS = 4 };
/// The 16 values rounded to bfloat16, twice: a look-up takes 5 bits of a word, of which one is not
/// the code's.
typedef __m512i code_table;

AVX512 INLINE code_table make_table(const float *values) {
    return _mm512_broadcast_i64x4(narrow_bf16_avx512(_mm512_loadu_si512(values)));
}

AVX512 INLINE void add_eight(code_table table, const uint8_t *codes, const uint32_t *x, int rows,
                             __m512 *sums) {
    __m512i eight = _mm512_loadu_si512(codes);
    UNROLL for (int i = 0; i < 4; i++) {
        // Nibble i of both words is the pair of elements i ^ 1 and 4 + (i ^ 1).
        __m512bh weight =
            (__m512bh)_mm512_permutexvar_epi16(_mm512_srli_epi16(eight, 4 * i), table);
        UNROLL for (int row = 0; row < rows; row++) sums[row] = _mm512_dpbf16_ps(
            sums[row], weight, (__m512bh)_mm512_set1_epi32((int)x[(i ^ 1) * rows + row]));
    }
}

#include "multiply_4bit_avx512_loop.h"

AVX512 void qk_multiply_4bit_bfloat16_avx512_bf16(const qk_multiply_arguments *a) {
    FOR_EACH_ROW_COUNT(a, multiply_rows)
}

#endif
