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

// With more rows, a part of the panel is decoded into memory that the nearest cache holds, and blocks of
// rows pass over it.

enum {
    // The most columns of the part. It has those that share a scale, at least LEAST: so few that the
    // rows' activations have room beside it.
    PART = 256,
    LEAST = 64,
    // Sums of 16 lanes in 12 of the 16 registers.
    BLOCK = 6,
};

/// Decodes `count` columns of a panel, in the order in which they are summed.
AVX2_FMA INLINE void decode_part(const qk_packed_weight *w, const uint8_t *codes, size_t count,
                                 float *out) {
    const __m256 low = _mm256_loadu_ps(w->values), high = _mm256_loadu_ps(w->values + 8);
    for (size_t step = 0; step < count / 8; step++, codes += 64) {
        __m256i front = _mm256_loadu_si256((const __m256i *)codes);
        __m256i back = _mm256_loadu_si256((const __m256i *)(codes + 32));
        UNROLL for (int i = 0; i < 8; i++, out += QK_PANEL_ROWS) {
            _mm256_store_ps(out, look_up_avx2(low, high, _mm256_srli_epi32(front, 4 * i)));
            _mm256_store_ps(out + 8, look_up_avx2(low, high, _mm256_srli_epi32(back, 4 * i)));
        }
    }
}

/// Adds the groups of a decoded part to the totals of `rows` rows, whose activations begin at `x`.
AVX2_FMA INLINE void add_part(const qk_multiply_arguments *a, const float *part, size_t count,
                              const float *scales, const float *x, int rows, float *totals) {
    const size_t stride = a->rows, group = a->weight.group;
    for (size_t first = 0; first < count; first += group, scales += QK_PANEL_ROWS) {
        __m256 sums[BLOCK][2];
        UNROLL for (int row = 0; row < rows; row++) sums[row][0] = sums[row][1] =
            _mm256_setzero_ps();
        for (size_t step = 0; step < group / 8; step++) {
            UNROLL for (int i = 0; i < 8; i++, part += QK_PANEL_ROWS) {
                __m256 one = _mm256_load_ps(part), two = _mm256_load_ps(part + 8);
                const float *own = x + (size_t)(i ^ 1) * stride;
                UNROLL for (int row = 0; row < rows; row++) {
                    __m256 factor = _mm256_set1_ps(own[row]);
                    sums[row][0] = _mm256_fmadd_ps(one, factor, sums[row][0]);
                    sums[row][1] = _mm256_fmadd_ps(two, factor, sums[row][1]);
                }
            }
            x += 8 * stride;
        }
        UNROLL for (int row = 0; row < rows; row++) UNROLL for (int half = 0; half < 2; half++) {
            float *total = totals + row * QK_PANEL_ROWS + 8 * half;
            _mm256_storeu_ps(total, _mm256_fmadd_ps(sums[row][half],
                                                    _mm256_loadu_ps(scales + 8 * half),
                                                    _mm256_loadu_ps(total)));
        }
    }
}

AVX2_FMA INLINE void multiply_decoded(const qk_multiply_arguments *a, size_t panel) {
    const qk_packed_weight *w = &a->weight;
    _Alignas(32) float part[PART * QK_PANEL_ROWS];
    float totals[QK_DECODED_TILE_ROWS * QK_PANEL_ROWS] = {0};
    const size_t columns = w->group < LEAST ? LEAST / w->group * w->group : w->group;
    for (size_t first = 0; first < w->k; first += columns) {
        size_t count = w->k - first < columns ? w->k - first : columns;
        decode_part(w, w->codes + (panel * w->k + first) * 8, count, part);
        const float *scales =
            w->scales + (panel * (w->k / w->group) + first / w->group) * QK_PANEL_ROWS;
        for (size_t row = 0; row < a->rows; row += BLOCK) {
            const float *x = (const float *)a->x + first * a->rows + row;
            float *own = totals + row * QK_PANEL_ROWS;
            switch (a->rows - row) {
            case 1: add_part(a, part, count, scales, x, 1, own); break;
            case 2: add_part(a, part, count, scales, x, 2, own); break;
            case 3: add_part(a, part, count, scales, x, 3, own); break;
            case 4: add_part(a, part, count, scales, x, 4, own); break;
            case 5: add_part(a, part, count, scales, x, 5, own); break;
            default: add_part(a, part, count, scales, x, 6, own); break;
            }
        }
    }
    for (size_t row = 0; row < a->rows; row++)
        qk_store_totals(a, panel, row, totals + row * QK_PANEL_ROWS);
}

AVX2_FMA void qk_multiply_4bit_float32_avx2(const qk_multiply_arguments *a) {
    for (size_t panel = a->first_panel; panel < a->end_panel; panel++) {
        if (a->rows > ROWS && a->weight.group <= PART) {
            multiply_decoded(a, panel);
            continue;
        }
        size_t row = 0;
        for (; row + ROWS <= a->rows; row += ROWS)
            multiply_panel(a, panel, row, ROWS);
        if (row + 2 == a->rows)
            multiply_panel(a, panel, row, 2);
        else if (row + 1 == a->rows)
            multiply_panel(a, panel, row, 1);
    }
}

QK_DEFINE_ROUNDED(qk_multiply_4bit_bfloat16_avx2, qk_multiply_4bit_float32_avx2)

#endif
