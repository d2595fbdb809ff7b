#pragma STDC FP_CONTRACT OFF

#include "avx512.h"

#if defined(__x86_64__)

// A test that emulates the instructions defines it before.
#if !defined(AVX512VBMI)
#define AVX512VBMI                                                                                 \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vbmi,avx2,f16c")))
#endif

enum { GROUP = 64, ALIGNMENT = 64 };

// The map in registers, cut into the four bytes of its numbers: two permutations look up 256 bytes.
typedef struct {
    __m512i bytes[4][4];
    int is_finite;
} map_table;

AVX512VBMI INLINE map_table make_map(const float *values) {
    map_table map = {.is_finite = 1};
    uint8_t bytes[4][256];
    for (int i = 0; i < 256; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, 4);
        for (int plane = 0; plane < 4; plane++)
            bytes[plane][i] = (uint8_t)(bits >> 8 * plane);
        map.is_finite &= (bits & 0x7fffffff) < 0x7f800000;
    }
    for (int plane = 0; plane < 4; plane++)
        for (int part = 0; part < 4; part++)
            map.bytes[plane][part] = _mm512_loadu_si512(bytes[plane] + 64 * part);
    return map;
}

AVX512VBMI INLINE __m512i look_up(const __m512i table[4], __m512i codes, __mmask64 is_upper) {
    __m512i lower = _mm512_permutex2var_epi8(table[0], codes, table[1]);
    __m512i upper = _mm512_permutex2var_epi8(table[2], codes, table[3]);
    return _mm512_mask_blend_epi8(is_upper, lower, upper);
}

/// Multiplies sixteen numbers; the results as float32 bits, NaNs canonical.
AVX512VBMI INLINE __m512i scale(__m512i bits, __m512 a, int can_be_nan) {
    __m512 product = _mm512_mul_ps(_mm512_castsi512_ps(bits), a);
    if (!can_be_nan)
        return _mm512_castps_si512(product);
    __mmask16 nan = _mm512_cmp_ps_mask(product, product, _CMP_UNORD_Q);
    return _mm512_mask_set1_epi32(_mm512_castps_si512(product), nan, 0x7fc00000);
}

/// Adds what makes the upper half of float32 bits the number rounded to bfloat16.
AVX512VBMI INLINE __m512i round_upper_half(__m512i bits) {
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    return _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
}

/// Stores the upper halves of 32 numbers.
AVX512VBMI INLINE void store_upper_halves(char *out, __m512i front, __m512i back, int streaming) {
    const __m512i odd_words = _mm512_set_epi16(
        63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27, 25, 23, 21, 19,
        17, 15, 13, 11, 9, 7, 5, 3, 1);
    store_avx512(out, _mm512_permutex2var_epi16(front, odd_words, back), ~(__mmask64)0, streaming);
}

AVX512VBMI INLINE void decode_group(const uint8_t *codes, const map_table *map, float a,
                                    qk_float_type type, char *out, int streaming) {
    // The bytes of a number meet within 128 bits: four codes of each 16 go to each of those.
    const __m512i quarters = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    __m512i index = _mm512_permutexvar_epi32(quarters, _mm512_loadu_si512(codes));
    __mmask64 is_upper = _mm512_movepi8_mask(index);
    __m512i plane[4];
    for (int i = 0; i < 4; i++)
        plane[i] = look_up(map->bytes[i], index, is_upper);
    __m512i low[2] = {_mm512_unpacklo_epi8(plane[0], plane[1]),
                      _mm512_unpackhi_epi8(plane[0], plane[1])};
    __m512i high[2] = {_mm512_unpacklo_epi8(plane[2], plane[3]),
                       _mm512_unpackhi_epi8(plane[2], plane[3])};
    // A finite scale gives infinity at worst.
    int can_be_nan = !map->is_finite || !(a - a == 0);
    __m512 factor = _mm512_set1_ps(a);
    __m512i found[4];
    for (int i = 0; i < 2; i++) {
        found[2 * i] = scale(_mm512_unpacklo_epi16(low[i], high[i]), factor, can_be_nan);
        found[2 * i + 1] = scale(_mm512_unpackhi_epi16(low[i], high[i]), factor, can_be_nan);
    }
    if (type == QK_FLOAT32) {
        for (int i = 0; i < 4; i++)
            store_avx512(out + 64 * i, found[i], ~(__mmask64)0, streaming);
        return;
    }
    for (int i = 0; i < 4; i += 2) {
        if (type == QK_BFLOAT16) {
            store_upper_halves(out + 32 * i, round_upper_half(found[i]),
                               round_upper_half(found[i + 1]), streaming);
            continue;
        }
        __m256i front = _mm512_cvtps_ph(_mm512_castsi512_ps(found[i]), _MM_FROUND_TO_NEAREST_INT);
        __m256i back = _mm512_cvtps_ph(_mm512_castsi512_ps(found[i + 1]), _MM_FROUND_TO_NEAREST_INT);
        __m512i words = _mm512_inserti64x4(_mm512_castsi256_si512(front), back, 1);
        store_avx512(out + 32 * i, words, ~(__mmask64)0, streaming);
    }
}

#define TARGET AVX512VBMI
#include "../generic/dequantize_8bit_loop.h"

qk_dequantize_8bit_fn qk_dequantize_8bit_avx512;

AVX512VBMI void qk_dequantize_8bit_avx512vbmi(const void *codes, const float *absmax, size_t count,
                                              size_t block_size, const float *values, void *out,
                                              qk_float_type type, int streaming) {
    // Shorter blocks than a group would all be copied.
    if (block_size < GROUP) {
        qk_dequantize_8bit_avx512(codes, absmax, count, block_size, values, out, type, streaming);
        return;
    }
    if (dequantize_all(codes, absmax, count, block_size, values, out, type, streaming))
        _mm_sfence();
}

#endif
