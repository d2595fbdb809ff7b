#pragma STDC FP_CONTRACT OFF

#include "../generic/int8_run.h"
#include "int8_products_avx2.h"

#if defined(__x86_64__)

/// As many rows as have sums and totals of 8 lanes in registers.
enum { ROWS = 4 };

/// `rows` rows of activations, from `first` on, and half a panel: 8 lanes from `lane` on. The totals
/// go to `results`, 16 numbers a row.
AVX2_FMA INLINE void multiply_half(const qk_multiply_arguments *a, size_t panel, size_t lane,
                                   size_t first, int rows, float *results) {
    const qk_packed_weight *w = &a->weight;
    const __m256i values =
        _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)w->int8_values));
    const __m256i nibble = _mm256_set1_epi8(15);
    const size_t groups = w->k / w->group, stride = a->rows;
    const uint8_t *codes = w->codes + panel * w->k * 8 + lane * 4;
    const float *scales = w->scales + panel * groups * QK_PANEL_ROWS + lane;
    const void *packed = a->x;
    __m256 totals[ROWS];
    UNROLL for (int row = 0; row < rows; row++) totals[row] = _mm256_setzero_ps();
    for (size_t g = 0; g < groups; g++) {
        __m256 group_sums[ROWS];
        for (size_t e = 0; e < w->group; e += QK_INT8_RUN) {
            qk_int8_run run = qk_next_int8_run(&packed, stride, w->group - e);
            const int32_t *x = (const int32_t *)run.x + first;
            __m256i sums[ROWS];
            UNROLL for (int row = 0; row < rows; row++) sums[row] = _mm256_setzero_si256();
            for (size_t step = 0; step < run.count / 8; step++) {
                __m256i eight = _mm256_loadu_si256((const __m256i *)codes);
                __m256i odd = _mm256_shuffle_epi8(values, _mm256_and_si256(eight, nibble));
                __m256i even = _mm256_shuffle_epi8(
                    values, _mm256_and_si256(_mm256_srli_epi16(eight, 4), nibble));
                __m256i odd_magnitude = _mm256_abs_epi8(odd), even_magnitude = _mm256_abs_epi8(even);
                UNROLL for (int row = 0; row < rows; row++) {
                    sums[row] = add_products(sums[row], odd, odd_magnitude, x[row]);
                    sums[row] = add_products(sums[row], even, even_magnitude,
                                             x[stride + (size_t)row]);
                }
                codes += 64;
                x += 2 * stride;
            }
            UNROLL for (int row = 0; row < rows; row++) {
                __m256 sum = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[row]),
                                           _mm256_set1_ps(run.steps[first + (size_t)row]));
                group_sums[row] = e == 0 ? sum : _mm256_add_ps(group_sums[row], sum);
            }
        }
        __m256 scale = _mm256_loadu_ps(scales);
        UNROLL for (int row = 0; row < rows; row++) totals[row] =
            _mm256_fmadd_ps(group_sums[row], scale, totals[row]);
        scales += QK_PANEL_ROWS;
    }
    UNROLL for (int row = 0; row < rows; row++)
        _mm256_storeu_ps(results + row * QK_PANEL_ROWS + lane,
                         _mm256_mul_ps(totals[row], _mm256_set1_ps(w->int8_step)));
}

AVX2_FMA INLINE void multiply_panel(const qk_multiply_arguments *a, size_t panel, size_t first,
                                    int rows) {
    float results[ROWS * QK_PANEL_ROWS];
    multiply_half(a, panel, 0, first, rows, results);
    multiply_half(a, panel, 8, first, rows, results);
    for (int row = 0; row < rows; row++)
        qk_store_totals(a, panel, first + (size_t)row, results + row * QK_PANEL_ROWS);
}

AVX2_FMA void qk_multiply_4bit_int8_avx2(const qk_multiply_arguments *a) {
    for (size_t panel = a->first_panel; panel < a->end_panel; panel++) {
        size_t row = 0;
        for (; row + ROWS <= a->rows; row += ROWS)
            multiply_panel(a, panel, row, ROWS);
        switch (a->rows - row) {
        case 3: multiply_panel(a, panel, row, 3); break;
        case 2: multiply_panel(a, panel, row, 2); break;
        case 1: multiply_panel(a, panel, row, 1); break;
        default: break;
        }
    }
}

#endif
