#pragma STDC FP_CONTRACT OFF

#include "multiply_avx512.h"

#if defined(__x86_64__)

/// One vector of weights, widened in registers, serves all rows.
AVX512 INLINE void multiply_float32(const qk_multiply_arguments *a, int rows) {
    const qk_packed_weight *w = &a->weight;
    const __m512i sign = _mm512_set1_epi8((char)0x80);
    for (size_t panel = a->first_panel; panel < a->end_panel; panel++) {
        const uint8_t *codes = w->codes + panel * w->k * QK_PANEL_ROWS;
        const float *x = a->x;
        __m512 totals[QK_TILE_ROWS];
        UNROLL for (int row = 0; row < rows; row++) totals[row] = _mm512_setzero_ps();
        for (size_t first = 0; first < w->k; first += QK_INT8_RUN) {
            size_t count = w->k - first < QK_INT8_RUN ? w->k - first : QK_INT8_RUN;
            __m512 sums[QK_TILE_ROWS];
            UNROLL for (int row = 0; row < rows; row++) sums[row] = _mm512_setzero_ps();
            for (size_t half = 0; half < count / 4; half++) {
                prefetch_codes(codes, rows);
                __m512i four = _mm512_xor_si512(_mm512_loadu_si512(codes), sign);
                const float *own = x + (half % 2 ? 0 : rows);
                UNROLL for (int i = 0; i < 4; i++) {
                    __m512 weight = _mm512_cvtepi32_ps(
                        _mm512_srai_epi32(_mm512_slli_epi32(four, 24 - 8 * i), 24));
                    UNROLL for (int row = 0; row < rows; row++) sums[row] = _mm512_fmadd_ps(
                        weight, _mm512_set1_ps(own[2 * i * rows + row]), sums[row]);
                }
                codes += 64;
                x += half % 2 ? 8 * rows : 0;
            }
            UNROLL for (int row = 0; row < rows; row++) totals[row] =
                _mm512_add_ps(totals[row], sums[row]);
        }
        scale_totals(a, panel, totals, rows);
        store_panel(a, panel, totals, rows);
    }
}

AVX512 void qk_multiply_8bit_float32_avx512(const qk_multiply_arguments *a) {
    FOR_EACH_ROW_COUNT(a, multiply_float32)
}

#endif
