#pragma STDC FP_CONTRACT OFF

#include "../generic/multiply_4bit_rounded.h"
#include "multiply_avx512.h"

#if defined(__x86_64__)

/// The most panels at once.
enum { MOST_PANELS = 4 };

/// `count` panels at once. One vector of weights, decoded in registers, serves all rows: the look-ups
/// run on ports that the products leave free. With few rows several panels give the processor sums
/// that do not wait for each other.
AVX512 INLINE void multiply_panels(const qk_multiply_arguments *a, size_t panel, int count,
                                   int rows) {
    const qk_packed_weight *w = &a->weight;
    const __m512 values = _mm512_loadu_ps(w->values);
    const size_t groups = w->k / w->group, steps = w->group / 8, panel_bytes = w->k * 8;
    const uint8_t *codes = w->codes + panel * panel_bytes;
    const float *scales = w->scales + panel * groups * QK_PANEL_ROWS;
    const float *x = a->x;
    __m512 totals[MOST_PANELS][QK_TILE_ROWS];
    UNROLL for (int p = 0; p < count; p++) UNROLL for (int row = 0; row < rows; row++)
        totals[p][row] = _mm512_setzero_ps();
    for (size_t g = 0; g < groups; g++) {
        __m512 sums[MOST_PANELS][QK_TILE_ROWS];
        UNROLL for (int p = 0; p < count; p++) UNROLL for (int row = 0; row < rows; row++)
            sums[p][row] = _mm512_setzero_ps();
        for (size_t step = 0; step < steps; step++) {
            __m512i eight[MOST_PANELS];
            UNROLL for (int p = 0; p < count; p++) {
                const uint8_t *own = codes + (size_t)p * panel_bytes;
                _mm_prefetch((const char *)own + PREFETCH_BYTES, _MM_HINT_T0);
                eight[p] = _mm512_loadu_si512(own);
            }
            UNROLL for (int i = 0; i < 8; i++) UNROLL for (int p = 0; p < count; p++) {
                // Nibble i of each dword is element i ^ 1; only the low 4 bits of an index count.
                __m512 weight = _mm512_permutexvar_ps(_mm512_srli_epi32(eight[p], 4 * i), values);
                UNROLL for (int row = 0; row < rows; row++) sums[p][row] = _mm512_fmadd_ps(
                    weight, _mm512_set1_ps(x[(i ^ 1) * rows + row]), sums[p][row]);
            }
            codes += 64;
            x += 8 * rows;
        }
        UNROLL for (int p = 0; p < count; p++) {
            __m512 scale = _mm512_loadu_ps(scales + (size_t)p * groups * QK_PANEL_ROWS);
            UNROLL for (int row = 0; row < rows; row++) totals[p][row] =
                _mm512_fmadd_ps(sums[p][row], scale, totals[p][row]);
        }
        scales += QK_PANEL_ROWS;
    }
    UNROLL for (int p = 0; p < count; p++) store_panel(a, panel + (size_t)p, totals[p], rows);
}

AVX512 INLINE void multiply_float32(const qk_multiply_arguments *a, int rows) {
    const int count = rows == 1 ? 3 : 1;
    size_t panel = a->first_panel;
    for (; panel + (size_t)count <= a->end_panel; panel += (size_t)count)
        multiply_panels(a, panel, count, rows);
    for (; panel < a->end_panel; panel++)
        multiply_panels(a, panel, 1, rows);
}

AVX512 void qk_multiply_4bit_float32_avx512(const qk_multiply_arguments *a) {
    FOR_EACH_ROW_COUNT(a, multiply_float32)
}

QK_DEFINE_ROUNDED(qk_multiply_4bit_bfloat16_avx512, qk_multiply_4bit_float32_avx512)

#endif
