#pragma STDC FP_CONTRACT OFF

#include "../generic/multiply_4bit_transposed_loop.h"
#include "avx2.h"

#if defined(__x86_64__)

/// A dword of eight codes at a time.
AVX2_FMA INLINE void decode_avx2(const qk_packed_4bit *w, const row_part *part, float *out) {
    const __m256 low = _mm256_loadu_ps(w->values), high = _mm256_loadu_ps(w->values + 8);
    const __m256i shift = _mm256_setr_epi32(4, 0, 12, 8, 20, 16, 28, 24);
    for (size_t column = 0; column < QK_COLUMN_TILE; column += 8) {
        int32_t codes = 0;
        float scale = 0;
        if (column < part->width) {
            memcpy(&codes, part->dwords + column / 8 * 64, 4);
            scale = scale_at(w, part, column);
        }
        __m256i index = _mm256_srlv_epi32(_mm256_set1_epi32(codes), shift);
        __m256 elements = look_up_avx2(low, high, index);
        _mm256_storeu_ps(out + column, _mm256_mul_ps(elements, _mm256_set1_ps(scale)));
    }
}

QK_DEFINE_TRANSPOSED(qk_multiply_4bit_transposed_avx2, AVX2_FMA, decode_avx2)

#endif
