#pragma STDC FP_CONTRACT OFF

#include "avx512_vnni.h"

#include "../generic/int8_run.h"
#include "multiply_avx512.h"

#if defined(__x86_64__)

/// Codes lie as the dot product wants them, plus 128: what that adds is what the sums of a run start
/// with.
AVX512 INLINE void multiply_int8(const qk_multiply_arguments *a, int rows) {
    const qk_packed_weight *w = &a->weight;
    for (size_t panel = a->first_panel; panel < a->end_panel; panel++) {
        const uint8_t *codes = w->codes + panel * w->k * QK_PANEL_ROWS;
        const void *packed = a->x;
        __m512 totals[QK_TILE_ROWS];
        UNROLL for (int row = 0; row < rows; row++) totals[row] = _mm512_setzero_ps();
        for (size_t first = 0; first < w->k; first += QK_INT8_RUN) {
            qk_int8_run run = qk_next_int8_run(&packed, (size_t)rows, w->k - first);
            const int32_t *x = (const int32_t *)run.x;
            __m512i sums[QK_TILE_ROWS];
            UNROLL for (int row = 0; row < rows; row++) sums[row] =
                _mm512_set1_epi32(run.starts[row]);
            _Pragma("GCC unroll 2") for (size_t half = 0; half < run.count / 4; half++) {
                prefetch_codes(codes, rows);
                __m512i four = _mm512_loadu_si512(codes);
                UNROLL for (int row = 0; row < rows; row++) sums[row] =
                    _mm512_dpbusd_epi32(sums[row], four, _mm512_set1_epi32(x[row]));
                codes += 64;
                x += rows;
            }
            UNROLL for (int row = 0; row < rows; row++) totals[row] =
                _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[row]), _mm512_set1_ps(run.steps[row]),
                                totals[row]);
        }
        scale_totals(a, panel, totals, rows);
        store_panel(a, panel, totals, rows);
    }
}

AVX512 void qk_multiply_8bit_int8_avx512_vnni(const qk_multiply_arguments *a) {
    FOR_EACH_ROW_COUNT(a, multiply_int8)
}

#endif
