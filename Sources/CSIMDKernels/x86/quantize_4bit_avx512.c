#pragma STDC FP_CONTRACT OFF

#include "search_4bit_avx512.h"
#include "qk_quantize_4bit.h"

#if defined(__x86_64__)

// Elements that are quantized together: 32 bytes of codes.
enum { GROUP = 64 };

typedef search_tables_4bit search_tables;

/// Quantizes up to 64 elements, scaled by multiplication, to half as many bytes. Elements behind
/// the end count as 0.
AVX512 INLINE void quantize_group(const char *input, qk_float_type type, size_t count,
                                  float factor, const search_tables *tables, int magnitude_rule,
                                  uint8_t *codes) {
    __m512 reciprocal = _mm512_set1_ps(factor), x[4];
    __m256i order;
    if (type == QK_BFLOAT16) {
        __m512i zero = _mm512_setzero_si512();
        __m512i low = _mm512_maskz_loadu_epi16(first32(count), input);
        __m512i high =
            _mm512_maskz_loadu_epi16(count <= 32 ? 0 : first32(count - 32), input + 64);
        x[0] = _mm512_castsi512_ps(_mm512_unpacklo_epi16(zero, low));  // quarter q: 8q + 0-3
        x[1] = _mm512_castsi512_ps(_mm512_unpackhi_epi16(zero, low));  // 8q + 4-7
        x[2] = _mm512_castsi512_ps(_mm512_unpacklo_epi16(zero, high)); // 32 + 8q + 0-3
        x[3] = _mm512_castsi512_ps(_mm512_unpackhi_epi16(zero, high)); // 32 + 8q + 4-7
        order = _mm256_setr_epi16(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    } else {
        for (int i = 0; i < 4; i++)
            x[i] = load_avx512(input + 16 * i * qk_float_size(type), type,
                               first16(count, 16 * i)); // quarter q: 16i + 4q + 0-3
        order = _mm256_setr_epi16(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    }
    __m512i n[4];
    for (int i = 0; i < 4; i++)
        n[i] = ranks(_mm512_mul_ps(x[i], reciprocal), tables, magnitude_rule);
    // Quarter q: bytes of n[0], n[1], n[2], n[3], four each.
    __m512i bytes =
        _mm512_packs_epi16(_mm512_packs_epi32(n[0], n[1]), _mm512_packs_epi32(n[2], n[3]));
    __m512i nibbles = _mm512_shuffle_epi8(tables->codes, bytes);
    // 16 times the even element plus the odd one.
    __m512i pairs = _mm512_maddubs_epi16(nibbles, _mm512_set1_epi16(0x0110));
    // Words of two bytes, four elements: 4q + i with i the number of the vector, with bfloat16
    // 4q + 0, 1 from the first 32 elements and 4q + 2, 3 from the others.
    __m256i packed = _mm256_permutexvar_epi16(order, _mm512_cvtepi16_epi8(pairs));
    if (count == GROUP)
        _mm256_storeu_si256((__m256i *)codes, packed);
    else
        _mm256_mask_storeu_epi8(codes, first32((count + 1) / 2), packed);
}

#define find_absmax absmax_avx512

#define TARGET AVX512
#define QK_PARTIAL_GROUPS
#include "../generic/quantize_4bit_loop.h"

AVX512 void qk_quantize_4bit_avx512(const void *input, qk_float_type type, size_t count,
                                    size_t block_size, const qk_codebook_4bit *codebook,
                                    const float *scales, void *codes, float *absmax) {
    quantize_all(input, type, count, block_size, codebook, scales, codes, absmax);
}

#endif
