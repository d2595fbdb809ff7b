#ifndef QK_MULTIPLY_AVX512_H
#define QK_MULTIPLY_AVX512_H

#include "../generic/multiply_store.h"
#include "avx512.h"

#if defined(__x86_64__)

#define UNROLL _Pragma("GCC unroll 16")

/// Asks for the codes that are used 4 KiB later. A single row reads the weight once, and leaves the
/// caches to what is read again.
AVX512 INLINE void prefetch_codes(const uint8_t *codes, int rows) {
    const char *ahead = (const char *)codes + 4096;
    if (rows == 1)
        _mm_prefetch(ahead, _MM_HINT_NTA);
    else
        _mm_prefetch(ahead, _MM_HINT_T0);
}

/// Stores the totals of `rows` rows of activations and one panel.
AVX512 INLINE void store_panel(const qk_multiply_arguments *a, size_t panel,
                               const __m512 *totals, int rows) {
    size_t first = panel * QK_PANEL_ROWS;
    __mmask16 mask = first16(a->weight.n, first);
    __m512 bias = a->bias ? _mm512_maskz_loadu_ps(mask, a->bias + first) : _mm512_setzero_ps();
    UNROLL for (int row = 0; row < rows; row++) {
        float *y = a->y + (size_t)row * a->y_stride + first;
        __m512 total = totals[row];
        if (a->bias)
            total = _mm512_add_ps(total, bias);
        if (a->accumulates)
            total = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, y), total);
        _mm512_mask_storeu_ps(y, mask, total);
    }
}

/// Multiplies totals of 8-bit codes with the scales of a panel.
AVX512 INLINE void scale_totals(const qk_multiply_arguments *a, size_t panel, __m512 *totals,
                                int rows) {
    __m512 scale = _mm512_loadu_ps(a->weight.scales + panel * QK_PANEL_ROWS);
    __m512 unit = _mm512_set1_ps(QK_INT8_UNIT);
    UNROLL for (int row = 0; row < rows; row++) totals[row] =
        _mm512_mul_ps(_mm512_mul_ps(totals[row], scale), unit);
}

/// Calls `kernel(a, rows)` with the number of rows as a constant, so that its loops unroll.
#define FOR_EACH_ROW_COUNT(a, kernel)                                                              \
    switch ((a)->rows) {                                                                           \
    case 1: kernel(a, 1); break;                                                                   \
    case 2: kernel(a, 2); break;                                                                   \
    case 3: kernel(a, 3); break;                                                                   \
    case 4: kernel(a, 4); break;                                                                   \
    case 5: kernel(a, 5); break;                                                                   \
    case 6: kernel(a, 6); break;                                                                   \
    case 7: kernel(a, 7); break;                                                                   \
    case 8: kernel(a, 8); break;                                                                   \
    case 9: kernel(a, 9); break;                                                                   \
    case 10: kernel(a, 10); break;                                                                 \
    case 11: kernel(a, 11); break;                                                                 \
    case 12: kernel(a, 12); break;                                                                 \
    case 13: kernel(a, 13); break;                                                                 \
    default: kernel(a, 14); break;                                                                 \
    }

#endif
#endif
