#pragma STDC FP_CONTRACT OFF

#include "absmax_avx2.h"
#include "avx2.h"
#include "qk_quantize_8bit.h"

#if defined(__x86_64__)

// Elements that are quantized together.
enum { GROUP = 32 };

/// Returns the codes of eight scaled elements.
AVX2 INLINE __m256i look_up(__m256 v, const qk_codebook_8bit *codebook) {
    __m128i shift = _mm_cvtsi32_si128((int)codebook->lookup_shift);
    __m256i start = _mm256_set1_epi32((int)codebook->lookup_start);
    __m256i low_mask = _mm256_set1_epi32((1 << codebook->lookup_shift) - 1);
    __m256i bits = _mm256_castps_si256(v), sign = _mm256_srai_epi32(bits, 31);
    __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
    magnitude = _mm256_max_epi32(magnitude, start);
    __m256i bucket = _mm256_srl_epi32(_mm256_sub_epi32(magnitude, start), shift);
    __m256i half = _mm256_and_si256(sign, _mm256_set1_epi32((int)codebook->lookup_half));
    bucket = _mm256_add_epi32(bucket, half);
    __m256i entry = _mm256_i32gather_epi32((const int *)codebook->lookup, bucket, 4);
    __m256i low = _mm256_and_si256(_mm256_xor_si256(magnitude, sign), low_mask);
    __m256i limit = _mm256_and_si256(entry, _mm256_set1_epi32(0xffffff));
    __m256i above = _mm256_cmpgt_epi32(low, limit); // 0 or -1
    return _mm256_sub_epi32(_mm256_srli_epi32(entry, 24), above);
}

AVX2 INLINE void quantize_group(const char *input, qk_float_type type, float factor,
                                const qk_codebook_8bit *codebook, uint8_t *codes) {
    __m256 reciprocal = _mm256_set1_ps(factor);
    __m256i n[4];
    for (int i = 0; i < 4; i++) {
        __m256 x = load_avx2(input + 8 * i * qk_float_size(type), type);
        n[i] = look_up(_mm256_mul_ps(x, reciprocal), codebook);
    }
    // Halves: [0-3, 8-11, 16-19, 24-27] and [4-7, 12-15, 20-23, 28-31].
    __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(n[0], n[1]),
                                        _mm256_packs_epi32(n[2], n[3]));
    __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256((__m256i *)codes, _mm256_permutevar8x32_epi32(bytes, order));
}

#define find_absmax absmax_avx2

#define TARGET AVX2
#include "../generic/quantize_8bit_loop.h"

AVX2 void qk_quantize_8bit_avx2(const void *input, qk_float_type type, size_t count,
                                size_t block_size, const qk_codebook_8bit *codebook, void *codes,
                                float *absmax) {
    quantize_all(input, type, count, block_size, codebook, codes, absmax);
}

#endif
