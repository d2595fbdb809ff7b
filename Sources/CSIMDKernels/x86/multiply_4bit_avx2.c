#pragma STDC FP_CONTRACT OFF

#include "../generic/multiply_4bit_rounded.h"
#include "../generic/multiply_store.h"
#include "avx2.h"

#if defined(__x86_64__)

#define UNROLL _Pragma("GCC unroll 8")

/// As many rows as have sums and totals of 16 lanes in registers.
enum { ROWS = 3 };

/// `rows` rows of activations, from `first` on, and one panel.
AVX2_FMA INLINE void multiply_panel(const qk_multiply_arguments *a, size_t panel, size_t first,
                                    int rows) {
    const qk_packed_weight *w = &a->weight;
    const __m256 low = _mm256_loadu_ps(w->values), high = _mm256_loadu_ps(w->values + 8);
    const size_t groups = w->k / w->group, steps = w->group / 8, stride = a->rows;
    const uint8_t *codes = w->codes + panel * w->k * 8;
    const float *scales = w->scales + panel * groups * QK_PANEL_ROWS;
    const float *x = (const float *)a->x + first;
    __m256 totals[ROWS][2];
    UNROLL for (int row = 0; row < rows; row++) totals[row][0] = totals[row][1] =
        _mm256_setzero_ps();
    for (size_t g = 0; g < groups; g++) {
        __m256 sums[ROWS][2];
        UNROLL for (int row = 0; row < rows; row++) sums[row][0] = sums[row][1] =
            _mm256_setzero_ps();
        for (size_t step = 0; step < steps; step++) {
            __m256i front = _mm256_loadu_si256((const __m256i *)codes);
            __m256i back = _mm256_loadu_si256((const __m256i *)(codes + 32));
            UNROLL for (int i = 0; i < 8; i++) {
                __m256 one = look_up_avx2(low, high, _mm256_srli_epi32(front, 4 * i));
                __m256 two = look_up_avx2(low, high, _mm256_srli_epi32(back, 4 * i));
                UNROLL for (int row = 0; row < rows; row++) {
                    __m256 factor = _mm256_set1_ps(x[(size_t)(i ^ 1) * stride + (size_t)row]);
                    sums[row][0] = _mm256_fmadd_ps(one, factor, sums[row][0]);
                    sums[row][1] = _mm256_fmadd_ps(two, factor, sums[row][1]);
                }
            }
            codes += 64;
            x += 8 * stride;
        }
        __m256 scale[2] = {_mm256_loadu_ps(scales), _mm256_loadu_ps(scales + 8)};
        UNROLL for (int row = 0; row < rows; row++) UNROLL for (int half = 0; half < 2; half++)
            totals[row][half] = _mm256_fmadd_ps(sums[row][half], scale[half], totals[row][half]);
        scales += QK_PANEL_ROWS;
    }
    UNROLL for (int row = 0; row < rows; row++) {
        float numbers[QK_PANEL_ROWS];
        _mm256_storeu_ps(numbers, totals[row][0]);
        _mm256_storeu_ps(numbers + 8, totals[row][1]);
        qk_store_totals(a, panel, first + (size_t)row, numbers);
    }
}

AVX2_FMA void qk_multiply_4bit_float32_avx2(const qk_multiply_arguments *a) {
    for (size_t panel = a->first_panel; panel < a->end_panel; panel++) {
        size_t row = 0;
        for (; row + 3 <= a->rows; row += 3)
            multiply_panel(a, panel, row, 3);
        if (row + 2 == a->rows)
            multiply_panel(a, panel, row, 2);
        else if (row + 1 == a->rows)
            multiply_panel(a, panel, row, 1);
    }
}

QK_DEFINE_ROUNDED(qk_multiply_4bit_bfloat16_avx2, qk_multiply_4bit_float32_avx2)

#endif
