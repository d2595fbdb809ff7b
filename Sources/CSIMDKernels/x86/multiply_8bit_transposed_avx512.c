#pragma STDC FP_CONTRACT OFF

#include "../generic/multiply_transposed_loop.h"
#include "../generic/panel_8bit.h"
#include "avx512.h"

#if defined(__x86_64__)

/// Eight columns of two rows at a time: the two dwords of a row in turn, each lane with its own byte.
AVX512 INLINE void decode_avx512(const qk_packed_weight *w, size_t first_column, size_t panel,
                                 float *out) {
    const panel_part_8bit part = part_of_panel_8bit(w, first_column, panel);
    const __m512i sign = _mm512_set1_epi8((char)0x80);
    // Brings the byte of each lane's column to the top.
    const __m512i shift =
        _mm512_setr_epi32(24, 24, 16, 16, 8, 8, 0, 0, 24, 24, 16, 16, 8, 8, 0, 0);
    // Even columns are in the second line.
    const __m512i lines = _mm512_setr_epi32(16, 0, 16, 0, 16, 0, 16, 0, 17, 1, 17, 1, 17, 1, 17, 1);
    const __m512 unit = _mm512_set1_ps(QK_INT8_UNIT);
    const __m512 scales = _mm512_loadu_ps(part.scales);
    for (size_t eight = 0; eight < QK_COLUMN_TILE / 8; eight++) {
        __m512i odd = _mm512_xor_si512(_mm512_loadu_si512(part.eights[eight]), sign);
        __m512i even = _mm512_xor_si512(_mm512_loadu_si512(part.eights[eight] + 64), sign);
        for (int row = 0; row < QK_PANEL_ROWS; row += 2) {
            __m512i places = _mm512_add_epi32(lines, _mm512_set1_epi32(row));
            __m512i codes = _mm512_permutex2var_epi32(odd, places, even);
            __m512i bytes = _mm512_srai_epi32(_mm512_sllv_epi32(codes, shift), 24);
            // The lanes of a place choose the row's scale, too: 16 and 0 are the same there.
            __m512 scale = _mm512_permutexvar_ps(places, scales);
            __m512 elements = _mm512_mul_ps(_mm512_cvtepi32_ps(bytes), scale);
            elements = _mm512_mul_ps(elements, unit);
            float *own = out + row * QK_COLUMN_TILE + eight * 8;
            _mm256_storeu_ps(own, _mm512_castps512_ps256(elements));
            __m256i second = _mm512_extracti64x4_epi64(_mm512_castps_si512(elements), 1);
            _mm256_storeu_si256((__m256i *)(own + QK_COLUMN_TILE), second);
        }
    }
}

QK_DEFINE_TRANSPOSED(8bit, avx512, AVX512, decode_avx512, 4)

#endif
