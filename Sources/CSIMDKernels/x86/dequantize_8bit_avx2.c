#pragma STDC FP_CONTRACT OFF

#include "avx2.h"

#if defined(__x86_64__)

enum { GROUP = 32, ALIGNMENT = 32 };

typedef const float *map_table;

AVX2 INLINE map_table make_map(const float *values) { return values; }

/// Returns eight results as float32 bits, NaNs canonical.
AVX2 INLINE __m256i decode_8(const uint8_t *codes, const float *map, float a) {
    // Eight loads: measured a quarter faster than a gather on Zen 3.
    __m256 value = _mm256_setr_ps(map[codes[0]], map[codes[1]], map[codes[2]], map[codes[3]],
                                  map[codes[4]], map[codes[5]], map[codes[6]], map[codes[7]]);
    __m256 product = _mm256_mul_ps(value, _mm256_set1_ps(a));
    __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fc00000));
    return _mm256_castps_si256(
        _mm256_blendv_ps(product, nan, _mm256_cmp_ps(product, product, _CMP_UNORD_Q)));
}

AVX2 INLINE void decode_group(const uint8_t *codes, const map_table *map, float a,
                              qk_float_type type, char *out, int streaming) {
    for (int i = 0; i < 4; i += 2) {
        __m256i low = decode_8(codes + 8 * i, *map, a);
        __m256i high = decode_8(codes + 8 * i + 8, *map, a);
        if (type == QK_FLOAT32) {
            store_avx2(out + 32 * i, low, streaming);
            store_avx2(out + 32 * i + 32, high, streaming);
        } else if (type == QK_BFLOAT16) {
            // 0-3, 8-11 and 4-7, 12-15; the permutation brings them in order.
            __m256i words = _mm256_packus_epi32(narrow_bf16_avx2(low), narrow_bf16_avx2(high));
            store_avx2(out + 16 * i, _mm256_permute4x64_epi64(words, 0xd8), streaming);
        } else {
            __m128i front = _mm256_cvtps_ph(_mm256_castsi256_ps(low), _MM_FROUND_TO_NEAREST_INT);
            __m128i back = _mm256_cvtps_ph(_mm256_castsi256_ps(high), _MM_FROUND_TO_NEAREST_INT);
            __m256i words = _mm256_inserti128_si256(_mm256_castsi128_si256(front), back, 1);
            store_avx2(out + 16 * i, words, streaming);
        }
    }
}

#define TARGET AVX2
#include "../generic/dequantize_8bit_loop.h"

AVX2 void qk_dequantize_8bit_avx2(const void *codes, const float *absmax, size_t count,
                                  size_t block_size, const float *values, void *out,
                                  qk_float_type type, int streaming) {
    if (dequantize_all(codes, absmax, count, block_size, values, out, type, streaming))
        _mm_sfence();
}

#endif
