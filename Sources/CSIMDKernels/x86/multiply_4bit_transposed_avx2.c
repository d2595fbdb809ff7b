#pragma STDC FP_CONTRACT OFF

#include "../generic/multiply_transposed_loop.h"
#include "../generic/panel_4bit.h"
#include "avx2.h"

#if defined(__x86_64__)

/// A dword of eight codes at a time, each lane with its own nibble: the first of a byte is the high
/// one.
AVX2_FMA INLINE void decode_avx2(const qk_packed_weight *w, size_t first_column, size_t panel,
                                 float *out) {
    const panel_part part = part_of_panel(w, first_column, panel);
    const __m256 low = _mm256_loadu_ps(w->values), high = _mm256_loadu_ps(w->values + 8);
    const __m256i shift = _mm256_setr_epi32(4, 0, 12, 8, 20, 16, 28, 24);
    for (size_t eight = 0; eight < EIGHTS; eight++) {
        const float *scales = part.scales[eight];
        for (size_t row = 0; row < QK_PANEL_ROWS; row++) {
            int32_t codes;
            memcpy(&codes, part.codes[eight] + row * 4, 4);
            __m256i index = _mm256_srlv_epi32(_mm256_set1_epi32(codes), shift);
            __m256 elements = look_up_avx2(low, high, index);
            _mm256_storeu_ps(out + row * QK_COLUMN_TILE + eight * 8,
                             _mm256_mul_ps(elements, _mm256_set1_ps(scales[row])));
        }
    }
}

QK_DEFINE_TRANSPOSED(4bit, avx2, AVX2_FMA, decode_avx2, 1)

#endif
