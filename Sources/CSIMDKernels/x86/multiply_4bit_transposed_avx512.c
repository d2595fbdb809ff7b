#pragma STDC FP_CONTRACT OFF

#include "multiply_4bit_transposed_avx512.h"

#if defined(__x86_64__)

/// 16 columns of 16 rows at a time.
AVX512 INLINE void decode_avx512(const qk_packed_weight *w, size_t first_column, size_t panel,
                                 float *out) {
    const panel_part part = part_of_panel(w, first_column, panel);
    const __m512 values = _mm512_loadu_ps(w->values);
    const __m512i shifts = code_shifts();
    for (size_t eight = 0; eight < EIGHTS; eight += 2) {
        __m512i front = _mm512_loadu_si512(part.codes[eight]);
        __m512i back = _mm512_loadu_si512(part.codes[eight + 1]);
        __m512 front_scales = _mm512_loadu_ps(part.scales[eight]);
        __m512 back_scales = _mm512_loadu_ps(part.scales[eight + 1]);
        for (int row = 0; row < QK_PANEL_ROWS; row++) {
            __m512i places = places_of_row(row);
            __m512i codes = _mm512_permutex2var_epi32(front, places, back);
            __m512 scales = _mm512_permutex2var_ps(front_scales, places, back_scales);
            __m512 elements = _mm512_permutexvar_ps(_mm512_srlv_epi32(codes, shifts), values);
            _mm512_storeu_ps(out + row * QK_COLUMN_TILE + eight * 8,
                             _mm512_mul_ps(elements, scales));
        }
    }
}

QK_DEFINE_TRANSPOSED(4bit, avx512, AVX512, decode_avx512, 4)

#endif
