#pragma STDC FP_CONTRACT OFF

#include "../generic/int8_run.h"
#include "int8_products_avx2.h"

#if defined(__x86_64__)

/// As many rows as have sums and totals of 16 lanes in registers.
enum { ROWS = 3 };

/// Multiplies the totals of `rows` rows with the scales of a panel and stores them.
AVX2_FMA INLINE void store_panel(const qk_multiply_arguments *a, size_t panel, size_t first,
                                 int rows, __m256 totals[][2]) {
    const float *scales = a->weight.scales + panel * QK_PANEL_ROWS;
    UNROLL for (int row = 0; row < rows; row++) {
        float numbers[QK_PANEL_ROWS];
        UNROLL for (int half = 0; half < 2; half++) _mm256_storeu_ps(
            numbers + 8 * half,
            _mm256_mul_ps(_mm256_mul_ps(totals[row][half], _mm256_loadu_ps(scales + 8 * half)),
                          _mm256_set1_ps(QK_INT8_UNIT)));
        qk_store_totals(a, panel, first + (size_t)row, numbers);
    }
}

/// Eight lanes of four codes, with their sign.
AVX2_FMA INLINE __m256i load_codes(const uint8_t *codes) {
    return _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)codes),
                            _mm256_set1_epi8((char)0x80));
}

/// `rows` rows of activations, from `first` on, and one panel.
AVX2_FMA INLINE void multiply_float32(const qk_multiply_arguments *a, size_t panel, size_t first,
                                      int rows) {
    const size_t k = a->weight.k, stride = a->rows;
    const uint8_t *codes = a->weight.codes + panel * k * QK_PANEL_ROWS;
    const float *x = (const float *)a->x + first;
    __m256 totals[ROWS][2];
    UNROLL for (int row = 0; row < rows; row++) totals[row][0] = totals[row][1] =
        _mm256_setzero_ps();
    for (size_t start = 0; start < k; start += QK_INT8_RUN) {
        size_t count = k - start < QK_INT8_RUN ? k - start : QK_INT8_RUN;
        __m256 sums[ROWS][2];
        UNROLL for (int row = 0; row < rows; row++) sums[row][0] = sums[row][1] =
            _mm256_setzero_ps();
        for (size_t dword = 0; dword < count / 4; dword++) {
            __m256i front = load_codes(codes), back = load_codes(codes + 32);
            const float *own = x + (dword % 2 ? 0 : stride);
            UNROLL for (int i = 0; i < 4; i++) {
                __m256 one = _mm256_cvtepi32_ps(
                    _mm256_srai_epi32(_mm256_slli_epi32(front, 24 - 8 * i), 24));
                __m256 two = _mm256_cvtepi32_ps(
                    _mm256_srai_epi32(_mm256_slli_epi32(back, 24 - 8 * i), 24));
                UNROLL for (int row = 0; row < rows; row++) {
                    __m256 factor = _mm256_set1_ps(own[2 * (size_t)i * stride + (size_t)row]);
                    sums[row][0] = _mm256_fmadd_ps(one, factor, sums[row][0]);
                    sums[row][1] = _mm256_fmadd_ps(two, factor, sums[row][1]);
                }
            }
            codes += 64;
            x += dword % 2 ? 8 * stride : 0;
        }
        UNROLL for (int row = 0; row < rows; row++) UNROLL for (int half = 0; half < 2; half++)
            totals[row][half] = _mm256_add_ps(totals[row][half], sums[row][half]);
    }
    store_panel(a, panel, first, rows, totals);
}

/// The same in the int8 mode.
AVX2_FMA INLINE void multiply_int8(const qk_multiply_arguments *a, size_t panel, size_t first,
                                   int rows) {
    const size_t k = a->weight.k, stride = a->rows;
    const uint8_t *codes = a->weight.codes + panel * k * QK_PANEL_ROWS;
    const void *packed = a->x;
    __m256 totals[ROWS][2];
    UNROLL for (int row = 0; row < rows; row++) totals[row][0] = totals[row][1] =
        _mm256_setzero_ps();
    for (size_t start = 0; start < k; start += QK_INT8_RUN) {
        qk_int8_run run = qk_next_int8_run(&packed, stride, k - start);
        const int32_t *x = (const int32_t *)run.x + first;
        __m256i sums[ROWS][2];
        UNROLL for (int row = 0; row < rows; row++) sums[row][0] = sums[row][1] =
            _mm256_setzero_si256();
        for (size_t dword = 0; dword < run.count / 4; dword++) {
            __m256i front = load_codes(codes), back = load_codes(codes + 32);
            __m256i front_magnitude = _mm256_abs_epi8(front), back_magnitude = _mm256_abs_epi8(back);
            UNROLL for (int row = 0; row < rows; row++) {
                sums[row][0] = add_products(sums[row][0], front, front_magnitude, x[row]);
                sums[row][1] = add_products(sums[row][1], back, back_magnitude, x[row]);
            }
            codes += 64;
            x += stride;
        }
        UNROLL for (int row = 0; row < rows; row++) {
            __m256 step = _mm256_set1_ps(run.steps[first + (size_t)row]);
            UNROLL for (int half = 0; half < 2; half++) totals[row][half] = _mm256_fmadd_ps(
                _mm256_cvtepi32_ps(sums[row][half]), step, totals[row][half]);
        }
    }
    store_panel(a, panel, first, rows, totals);
}

#define FOR_EACH_PANEL(a, kernel)                                                                  \
    for (size_t panel = (a)->first_panel; panel < (a)->end_panel; panel++) {                       \
        size_t row = 0;                                                                            \
        for (; row + ROWS <= (a)->rows; row += ROWS)                                               \
            kernel(a, panel, row, ROWS);                                                           \
        if (row + 2 == (a)->rows)                                                                  \
            kernel(a, panel, row, 2);                                                              \
        else if (row + 1 == (a)->rows)                                                             \
            kernel(a, panel, row, 1);                                                              \
    }

AVX2_FMA void qk_multiply_8bit_float32_avx2(const qk_multiply_arguments *a) {
    FOR_EACH_PANEL(a, multiply_float32)
}

AVX2_FMA void qk_multiply_8bit_int8_avx2(const qk_multiply_arguments *a) {
    FOR_EACH_PANEL(a, multiply_int8)
}

#endif
