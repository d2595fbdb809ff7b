#pragma STDC FP_CONTRACT OFF

#include "../generic/multiply_4bit_transposed_loop.h"
#include "avx512.h"

#if defined(__x86_64__)

/// Two dwords of eight codes at a time, each lane with its own nibble: the first of a byte is the
/// high one.
AVX512 INLINE void decode_avx512(const qk_packed_4bit *w, const row_part *part, float *out) {
    const __m512 values = _mm512_loadu_ps(w->values);
    const __m512i shift =
        _mm512_setr_epi32(4, 0, 12, 8, 20, 16, 28, 24, 4, 0, 12, 8, 20, 16, 28, 24);
    for (size_t column = 0; column < QK_COLUMN_TILE; column += LANES) {
        uint32_t pair[2] = {0, 0};
        float scales[2] = {0, 0};
        for (size_t half = 0; half < 2; half++) {
            size_t own = column + 8 * half;
            if (own >= part->width)
                continue;
            memcpy(&pair[half], part->dwords + own / 8 * 64, 4);
            scales[half] = scale_at(w, part, own);
        }
        __m512i codes =
            _mm512_mask_set1_epi32(_mm512_set1_epi32((int)pair[0]), 0xff00, (int)pair[1]);
        __m512 scale = _mm512_castsi512_ps(_mm512_mask_set1_epi32(
            _mm512_castps_si512(_mm512_set1_ps(scales[0])), 0xff00, (int)qk_bits_of(scales[1])));
        __m512 elements = _mm512_permutexvar_ps(_mm512_srlv_epi32(codes, shift), values);
        _mm512_storeu_ps(out + column, _mm512_mul_ps(elements, scale));
    }
}

QK_DEFINE_TRANSPOSED(qk_multiply_4bit_transposed_avx512, AVX512, decode_avx512)

#endif
