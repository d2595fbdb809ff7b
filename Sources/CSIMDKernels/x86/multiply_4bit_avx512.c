#pragma STDC FP_CONTRACT OFF

#include "multiply_4bit_avx512.h"

#if defined(__x86_64__)

/// One vector of weights, decoded in registers, serves all rows: the look-ups run on ports that the
/// products leave free.
AVX512 INLINE void multiply_float32(const qk_multiply_4bit_arguments *a, int rows) {
    const qk_packed_4bit *w = &a->weight;
    const __m512 values = _mm512_loadu_ps(w->values);
    const size_t groups = w->k / w->group, steps = w->group / 8;
    for (size_t panel = a->first_panel; panel < a->end_panel; panel++) {
        const uint8_t *codes = w->codes + panel * w->k * 8;
        const float *scales = w->scales + panel * groups * QK_PANEL_ROWS;
        const float *x = a->x;
        __m512 totals[QK_TILE_ROWS];
        UNROLL for (int row = 0; row < rows; row++) totals[row] = _mm512_setzero_ps();
        for (size_t g = 0; g < groups; g++) {
            __m512 sums[QK_TILE_ROWS];
            UNROLL for (int row = 0; row < rows; row++) sums[row] = _mm512_setzero_ps();
            for (size_t step = 0; step < steps; step++) {
                _mm_prefetch((const char *)codes + PREFETCH_BYTES, _MM_HINT_T0);
                __m512i eight = _mm512_loadu_si512(codes);
                UNROLL for (int i = 0; i < 8; i++) {
                    // Nibble i of each dword is element i ^ 1; only the low 4 bits of an index count.
                    __m512 weight =
                        _mm512_permutexvar_ps(_mm512_srli_epi32(eight, 4 * i), values);
                    UNROLL for (int row = 0; row < rows; row++) sums[row] =
                        _mm512_fmadd_ps(weight, _mm512_set1_ps(x[(i ^ 1) * rows + row]), sums[row]);
                }
                codes += 64;
                x += 8 * rows;
            }
            __m512 scale = _mm512_loadu_ps(scales);
            UNROLL for (int row = 0; row < rows; row++) totals[row] =
                _mm512_fmadd_ps(sums[row], scale, totals[row]);
            scales += QK_PANEL_ROWS;
        }
        store_panel(a, panel, totals, rows);
    }
}

AVX512 void qk_multiply_4bit_float32_avx512(const qk_multiply_4bit_arguments *a) {
    FOR_EACH_ROW_COUNT(a, multiply_float32)
}

#endif
