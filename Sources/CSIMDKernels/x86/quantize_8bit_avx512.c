#pragma STDC FP_CONTRACT OFF

#include "avx512.h"
#include "qk_quantize_8bit.h"

#if defined(__x86_64__)

// Elements that are quantized together.
enum { GROUP = 64 };

/// Returns the codes of sixteen scaled elements.
AVX512 INLINE __m512i look_up(__m512 v, const qk_codebook_8bit *codebook) {
    __m128i shift = _mm_cvtsi32_si128((int)codebook->lookup_shift);
    __m512i start = _mm512_set1_epi32((int)codebook->lookup_start);
    __m512i low_mask = _mm512_set1_epi32((1 << codebook->lookup_shift) - 1);
    __m512i bits = _mm512_castps_si512(v), sign = _mm512_srai_epi32(bits, 31);
    __m512i magnitude = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff));
    magnitude = _mm512_max_epi32(magnitude, start);
    __m512i bucket = _mm512_srl_epi32(_mm512_sub_epi32(magnitude, start), shift);
    __m512i half = _mm512_and_si512(sign, _mm512_set1_epi32((int)codebook->lookup_half));
    bucket = _mm512_add_epi32(bucket, half);
    __m512i entry = _mm512_i32gather_epi32(bucket, (const int *)codebook->lookup, 4);
    __m512i low = _mm512_and_si512(_mm512_xor_si512(magnitude, sign), low_mask);
    __m512i limit = _mm512_and_si512(entry, _mm512_set1_epi32(0xffffff));
    __mmask16 above = _mm512_cmpgt_epi32_mask(low, limit);
    __m512i code = _mm512_srli_epi32(entry, 24);
    return _mm512_mask_add_epi32(code, above, code, _mm512_set1_epi32(1));
}

AVX512 INLINE void quantize_group(const char *input, qk_float_type type, float factor,
                                  const qk_codebook_8bit *codebook, uint8_t *codes) {
    __m512 reciprocal = _mm512_set1_ps(factor);
    for (int i = 0; i < 4; i++) {
        __m512 x = load_avx512(input + 16 * i * qk_float_size(type), type, 0xffff);
        __m512i code = look_up(_mm512_mul_ps(x, reciprocal), codebook);
        _mm_storeu_si128((__m128i *)(codes + 16 * i), _mm512_cvtepi32_epi8(code));
    }
}

#define find_absmax absmax_avx512

#define TARGET AVX512
#include "../generic/quantize_8bit_loop.h"

AVX512 void qk_quantize_8bit_avx512(const void *input, qk_float_type type, size_t count,
                                    size_t block_size, const qk_codebook_8bit *codebook,
                                    void *codes, float *absmax) {
    quantize_all(input, type, count, block_size, codebook, codes, absmax);
}

#endif
