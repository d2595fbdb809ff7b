#pragma STDC FP_CONTRACT OFF

#include "avx512.h"

#if defined(__x86_64__)

enum { GROUP = 32, ALIGNMENT = 64 };

// The map in registers: a permutation of two of them looks up 32 values.
typedef struct {
    __m512 values[16];
} map_table;

AVX512 INLINE map_table make_map(const float *values) {
    map_table map;
    for (int i = 0; i < 16; i++)
        map.values[i] = _mm512_loadu_ps(values + 16 * i);
    return map;
}

/// Returns sixteen results as float32 bits, NaNs canonical.
AVX512 INLINE __m512i decode_16(const uint8_t *codes, const map_table *map, float a) {
    __m512i index = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)codes));
    // The permutation sees bits 0-4; the other three choose among the eight pairs.
    __mmask16 bit5 = _mm512_test_epi32_mask(index, _mm512_set1_epi32(32));
    __mmask16 bit6 = _mm512_test_epi32_mask(index, _mm512_set1_epi32(64));
    __mmask16 bit7 = _mm512_test_epi32_mask(index, _mm512_set1_epi32(128));
    __m512 found[8];
    for (int i = 0; i < 8; i++)
        found[i] = _mm512_permutex2var_ps(map->values[2 * i], index, map->values[2 * i + 1]);
    for (int i = 0; i < 4; i++)
        found[i] = _mm512_mask_blend_ps(bit5, found[2 * i], found[2 * i + 1]);
    for (int i = 0; i < 2; i++)
        found[i] = _mm512_mask_blend_ps(bit6, found[2 * i], found[2 * i + 1]);
    __m512 value = _mm512_mask_blend_ps(bit7, found[0], found[1]);
    __m512 product = _mm512_mul_ps(value, _mm512_set1_ps(a));
    __mmask16 nan = _mm512_cmp_ps_mask(product, product, _CMP_UNORD_Q);
    return _mm512_mask_set1_epi32(_mm512_castps_si512(product), nan, 0x7fc00000);
}

AVX512 INLINE void decode_group(const uint8_t *codes, const map_table *map, float a,
                                qk_float_type type, char *out, int streaming) {
    __mmask64 all = ~(__mmask64)0;
    __m512i low = decode_16(codes, map, a), high = decode_16(codes + 16, map, a);
    if (type == QK_FLOAT32) {
        store_avx512(out, low, all, streaming);
        store_avx512(out + 64, high, all, streaming);
        return;
    }
    __m256i front, back;
    if (type == QK_BFLOAT16) {
        front = narrow_bf16_avx512(low);
        back = narrow_bf16_avx512(high);
    } else {
        front = _mm512_cvtps_ph(_mm512_castsi512_ps(low), _MM_FROUND_TO_NEAREST_INT);
        back = _mm512_cvtps_ph(_mm512_castsi512_ps(high), _MM_FROUND_TO_NEAREST_INT);
    }
    __m512i words = _mm512_inserti64x4(_mm512_castsi256_si512(front), back, 1);
    store_avx512(out, words, all, streaming);
}

#define TARGET AVX512
#include "../generic/dequantize_8bit_loop.h"

AVX512 void qk_dequantize_8bit_avx512(const void *codes, const float *absmax, size_t count,
                                      size_t block_size, const float *values, void *out,
                                      qk_float_type type, int streaming) {
    if (dequantize_all(codes, absmax, count, block_size, values, out, type, streaming))
        _mm_sfence();
}

#endif
