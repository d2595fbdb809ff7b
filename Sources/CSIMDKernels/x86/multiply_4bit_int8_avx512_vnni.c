#pragma STDC FP_CONTRACT OFF

#include "avx512_vnni.h"

#include "../generic/int8_run.h"
#include "multiply_avx512.h"

#if defined(__x86_64__)

/// The 16 values plus 128, in each quarter: the dot product takes weights without a sign, and what
/// that adds is what the sums of a run start with.
AVX512 INLINE __m512i unsigned_values(const int8_t *values) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)values);
    return _mm512_broadcast_i32x4(_mm_xor_si128(bytes, _mm_set1_epi8((char)0x80)));
}

/// Adds the products of a run of `steps` times eight elements to `sums`.
AVX512 INLINE void add_run(__m512i values, const uint8_t *codes, const qk_int8_run *run,
                           size_t steps, int rows, __m512i *sums) {
    const __m512i nibble = _mm512_set1_epi8(15);
    const int32_t *x = (const int32_t *)run->x;
    _Pragma("GCC unroll 2") for (size_t step = 0; step < steps; step++) {
        prefetch_codes(codes, rows);
        __m512i eight = _mm512_loadu_si512(codes);
        __m512i odd = _mm512_shuffle_epi8(values, _mm512_and_si512(eight, nibble));
        __m512i even = _mm512_shuffle_epi8(
            values, _mm512_and_si512(_mm512_srli_epi16(eight, 4), nibble));
        UNROLL for (int row = 0; row < rows; row++) sums[row] =
            _mm512_dpbusd_epi32(sums[row], odd, _mm512_set1_epi32(x[row]));
        UNROLL for (int row = 0; row < rows; row++) sums[row] =
            _mm512_dpbusd_epi32(sums[row], even, _mm512_set1_epi32(x[rows + row]));
        codes += 64;
        x += 2 * rows;
    }
}

/// `whole`: whether every group is one run of QK_INT8_RUN elements.
AVX512 INLINE void multiply_panels(const qk_multiply_arguments *a, int rows, int whole) {
    const qk_packed_weight *w = &a->weight;
    const __m512i values = unsigned_values(w->int8_values);
    const size_t group = whole ? QK_INT8_RUN : w->group, groups = w->k / group;
    for (size_t panel = a->first_panel; panel < a->end_panel; panel++) {
        const uint8_t *codes = w->codes + panel * w->k * 8;
        const float *scales = w->scales + panel * groups * QK_PANEL_ROWS;
        const void *x = a->x;
        __m512 totals[QK_TILE_ROWS];
        UNROLL for (int row = 0; row < rows; row++) totals[row] = _mm512_setzero_ps();
        for (size_t g = 0; g < groups; g++) {
            __m512 group_sums[QK_TILE_ROWS];
            for (size_t e = 0; e < group; e += QK_INT8_RUN) {
                qk_int8_run run =
                    qk_next_int8_run(&x, (size_t)rows, whole ? QK_INT8_RUN : group - e);
                __m512i sums[QK_TILE_ROWS];
                UNROLL for (int row = 0; row < rows; row++) sums[row] =
                    _mm512_set1_epi32(run.starts[row]);
                add_run(values, codes, &run, run.count / 8, rows, sums);
                codes += run.count * 8;
                UNROLL for (int row = 0; row < rows; row++) {
                    __m512 sum = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[row]),
                                               _mm512_set1_ps(run.steps[row]));
                    group_sums[row] = e == 0 ? sum : _mm512_add_ps(group_sums[row], sum);
                }
            }
            __m512 scale = _mm512_loadu_ps(scales);
            UNROLL for (int row = 0; row < rows; row++) totals[row] =
                _mm512_fmadd_ps(group_sums[row], scale, totals[row]);
            scales += QK_PANEL_ROWS;
        }
        UNROLL for (int row = 0; row < rows; row++) totals[row] =
            _mm512_mul_ps(totals[row], _mm512_set1_ps(w->int8_step));
        store_panel(a, panel, totals, rows);
    }
}

AVX512 INLINE void multiply_int8(const qk_multiply_arguments *a, int rows) {
    if (a->weight.group == QK_INT8_RUN)
        multiply_panels(a, rows, 1);
    else
        multiply_panels(a, rows, 0);
}

AVX512 void qk_multiply_4bit_int8_avx512_vnni(const qk_multiply_arguments *a) {
    FOR_EACH_ROW_COUNT(a, multiply_int8)
}

#endif
