#pragma STDC FP_CONTRACT OFF

#include "../generic/multiply_transposed_loop.h"
#include "../generic/panel_8bit.h"
#include "avx2.h"

#if defined(__x86_64__)

/// Eight columns of a row at a time: its two dwords in turn, each lane with its own byte.
AVX2_FMA INLINE void decode_avx2(const qk_packed_weight *w, size_t first_column, size_t panel,
                                 float *out) {
    const panel_part_8bit part = part_of_panel_8bit(w, first_column, panel);
    // Brings the byte of each lane's column to the top.
    const __m256i shift = _mm256_setr_epi32(24, 24, 16, 16, 8, 8, 0, 0);
    const __m256 unit = _mm256_set1_ps(QK_INT8_UNIT);
    const __m256i sign = _mm256_set1_epi8((char)0x80);
    for (size_t eight = 0; eight < QK_COLUMN_TILE / 8; eight++) {
        for (size_t row = 0; row < QK_PANEL_ROWS; row++) {
            int32_t odd, even;
            memcpy(&odd, part.eights[eight] + row * 4, 4);
            memcpy(&even, part.eights[eight] + 64 + row * 4, 4);
            __m256i codes = _mm256_blend_epi32(_mm256_set1_epi32(even), _mm256_set1_epi32(odd), 0xaa);
            codes = _mm256_sllv_epi32(_mm256_xor_si256(codes, sign), shift);
            __m256 elements = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_srai_epi32(codes, 24)),
                                            _mm256_set1_ps(part.scales[row]));
            _mm256_storeu_ps(out + row * QK_COLUMN_TILE + eight * 8,
                             _mm256_mul_ps(elements, unit));
        }
    }
}

QK_DEFINE_TRANSPOSED(8bit, avx2, AVX2_FMA, decode_avx2, 1)

#endif
