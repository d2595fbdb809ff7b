#pragma STDC FP_CONTRACT OFF

#include "avx2.h"

#if defined(__x86_64__)

// Elements that are decoded together: 16 bytes of codes.
enum { GROUP = 32, ALIGNMENT = 32 };

// Once a block, the 16 possible results are computed and split into planes: byte p of result c is
// byte c of plane p, in both halves. A byte shuffle looks up one plane for 32 codes.
typedef struct {
    __m256i plane[4];
} code_table;

/// Returns the values times `a` as float32 bits, NaNs canonical.
AVX2 INLINE __m256i scaled(const float *values, __m256 a) {
    __m256 product = _mm256_mul_ps(_mm256_loadu_ps(values), a);
    __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fc00000));
    return _mm256_castps_si256(
        _mm256_blendv_ps(product, nan, _mm256_cmp_ps(product, product, _CMP_UNORD_Q)));
}

AVX2 INLINE code_table make_table(const float *values, float a, qk_float_type type) {
    __m256i low = scaled(values, _mm256_set1_ps(a));      // 0-3, 4-7
    __m256i high = scaled(values + 8, _mm256_set1_ps(a)); // 8-11, 12-15
    code_table result = {0};
    if (type == QK_FLOAT32) {
        __m256i gather = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, //
                                          0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        low = _mm256_shuffle_epi8(low, gather); // each half: planes 0, 1, 2, 3 of its 4 values
        high = _mm256_shuffle_epi8(high, gather);
        // Planes 0, 0, 1, 1 of values [0-3, 8-11] and [4-7, 12-15]; then planes 2, 2, 3, 3.
        __m256i front = _mm256_unpacklo_epi32(low, high);
        __m256i back = _mm256_unpackhi_epi32(low, high);
        __m256i even = _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5);
        __m256i odd = _mm256_setr_epi32(2, 6, 3, 7, 2, 6, 3, 7);
        result.plane[0] = _mm256_permutevar8x32_epi32(front, even);
        result.plane[1] = _mm256_permutevar8x32_epi32(front, odd);
        result.plane[2] = _mm256_permutevar8x32_epi32(back, even);
        result.plane[3] = _mm256_permutevar8x32_epi32(back, odd);
    } else {
        __m256i halves;
        if (type == QK_BFLOAT16) {
            // 0-3, 8-11 and 4-7, 12-15; the permutation brings them in order.
            halves = _mm256_packus_epi32(narrow_bf16_avx2(low), narrow_bf16_avx2(high));
            halves = _mm256_permute4x64_epi64(halves, 0xd8);
        } else {
            __m128i front = _mm256_cvtps_ph(_mm256_castsi256_ps(low), _MM_FROUND_TO_NEAREST_INT);
            __m128i back = _mm256_cvtps_ph(_mm256_castsi256_ps(high), _MM_FROUND_TO_NEAREST_INT);
            halves = _mm256_inserti128_si256(_mm256_castsi128_si256(front), back, 1);
        }
        __m256i gather = _mm256_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15, //
                                          0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
        halves = _mm256_shuffle_epi8(halves, gather); // plane 0, plane 1 of 0-7; of 8-15
        result.plane[0] = _mm256_permute4x64_epi64(halves, 0x88);
        result.plane[1] = _mm256_permute4x64_epi64(halves, 0xdd);
    }
    return result;
}

/// Decodes 16 bytes of codes to 32 elements.
AVX2 INLINE void decode_group(const uint8_t *codes, const code_table *table, qk_float_type type,
                              char *out, int streaming) {
    __m128i order = type == QK_FLOAT32
                        ? _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15)
                        : _mm_setr_epi8(0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15);
    __m128i bytes = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)codes), order);
    // One byte b a word; (b + (b << 12)) >> 4 is its high nibble, then its low one.
    __m256i index = _mm256_mullo_epi16(_mm256_cvtepu8_epi16(bytes), _mm256_set1_epi16(0x1001));
    index = _mm256_srli_epi16(index, 4);
    __m256i byte0 = _mm256_shuffle_epi8(table->plane[0], index);
    __m256i byte1 = _mm256_shuffle_epi8(table->plane[1], index);
    if (type == QK_FLOAT32) {
        // The halves of index: codes [0-3, 8-11, 16-19, 24-27] and [4-7, 12-15, 20-23, 28-31].
        __m256i byte2 = _mm256_shuffle_epi8(table->plane[2], index);
        __m256i byte3 = _mm256_shuffle_epi8(table->plane[3], index);
        __m256i front01 = _mm256_unpacklo_epi8(byte0, byte1); // 0-3, 8-11; 4-7, 12-15
        __m256i back01 = _mm256_unpackhi_epi8(byte0, byte1);  // 16-19, 24-27; 20-23, 28-31
        __m256i front23 = _mm256_unpacklo_epi8(byte2, byte3);
        __m256i back23 = _mm256_unpackhi_epi8(byte2, byte3);
        store_avx2(out, _mm256_unpacklo_epi16(front01, front23), streaming);      // 0-7
        store_avx2(out + 32, _mm256_unpackhi_epi16(front01, front23), streaming); // 8-15
        store_avx2(out + 64, _mm256_unpacklo_epi16(back01, back23), streaming);   // 16-23
        store_avx2(out + 96, _mm256_unpackhi_epi16(back01, back23), streaming);   // 24-31
    } else {
        // The halves of index: codes [0-7, 16-23] and [8-15, 24-31].
        store_avx2(out, _mm256_unpacklo_epi8(byte0, byte1), streaming);      // 0-15
        store_avx2(out + 32, _mm256_unpackhi_epi8(byte0, byte1), streaming); // 16-31
    }
}

#define TARGET AVX2
#include "../generic/dequantize_4bit_loop.h"

AVX2 void qk_dequantize_4bit_avx2(const void *codes, const float *absmax, size_t count,
                                  size_t block_size, const float *values, void *out,
                                  qk_float_type type, int streaming) {
    if (dequantize_all(codes, absmax, count, block_size, values, out, type, streaming))
        _mm_sfence();
}

#endif
