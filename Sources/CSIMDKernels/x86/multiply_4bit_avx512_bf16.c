#pragma STDC FP_CONTRACT OFF

#include "avx512_bf16.h"

#include "multiply_avx512.h"

#if defined(__x86_64__)

/// The 16 values rounded to bfloat16, twice: a look-up takes 5 bits of a word, of which one is not
/// the code's.
AVX512 INLINE __m512i rounded_values(const float *values) {
    __m512i bits = _mm512_loadu_si512(values);
    return _mm512_broadcast_i64x4(narrow_bf16_avx512(bits));
}

/// `steps`: the group's steps of eight elements, a constant where that is worth code of its own.
AVX512 INLINE void multiply_groups(const qk_multiply_arguments *a, int rows, size_t steps) {
    const qk_packed_weight *w = &a->weight;
    const __m512i values = rounded_values(w->values);
    const size_t groups = w->k / w->group;
    for (size_t panel = a->first_panel; panel < a->end_panel; panel++) {
        const uint8_t *codes = w->codes + panel * w->k * 8;
        const float *scales = w->scales + panel * groups * QK_PANEL_ROWS;
        const uint32_t *x = a->x;
        __m512 totals[QK_TILE_ROWS];
        UNROLL for (int row = 0; row < rows; row++) totals[row] = _mm512_setzero_ps();
        for (size_t g = 0; g < groups; g++) {
            __m512 sums[QK_TILE_ROWS];
            UNROLL for (int row = 0; row < rows; row++) sums[row] = _mm512_setzero_ps();
            _Pragma("GCC unroll 2") for (size_t step = 0; step < steps; step++) {
                // A single row reads the weight once, and leaves the caches to what is read again.
                if (rows == 1)
                    _mm_prefetch((const char *)codes + PREFETCH_BYTES, _MM_HINT_NTA);
                else
                    _mm_prefetch((const char *)codes + PREFETCH_BYTES, _MM_HINT_T0);
                __m512i eight = _mm512_loadu_si512(codes);
                UNROLL for (int i = 0; i < 4; i++) {
                    // Nibble i of both words is the pair of elements i ^ 1 and 4 + (i ^ 1).
                    __m512bh weight = (__m512bh)_mm512_permutexvar_epi16(
                        _mm512_srli_epi16(eight, 4 * i), values);
                    UNROLL for (int row = 0; row < rows; row++) sums[row] = _mm512_dpbf16_ps(
                        sums[row], weight,
                        (__m512bh)_mm512_set1_epi32((int)x[(i ^ 1) * rows + row]));
                }
                codes += 64;
                x += 4 * rows;
            }
            __m512 scale = _mm512_loadu_ps(scales);
            UNROLL for (int row = 0; row < rows; row++) totals[row] =
                _mm512_fmadd_ps(sums[row], scale, totals[row]);
            scales += QK_PANEL_ROWS;
        }
        store_panel(a, panel, totals, rows);
    }
}

AVX512 INLINE void multiply_bfloat16(const qk_multiply_arguments *a, int rows) {
    if (a->weight.group == 64)
        multiply_groups(a, rows, 8);
    else
        multiply_groups(a, rows, a->weight.group / 8);
}

AVX512 void qk_multiply_4bit_bfloat16_avx512_bf16(const qk_multiply_arguments *a) {
    FOR_EACH_ROW_COUNT(a, multiply_bfloat16)
}

#endif
