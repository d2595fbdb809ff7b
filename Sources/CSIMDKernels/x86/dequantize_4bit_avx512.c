#pragma STDC FP_CONTRACT OFF

#include "avx512.h"

#if defined(__x86_64__)

// Elements that are decoded together: 16 bytes of codes.
enum { GROUP = 32, ALIGNMENT = 64 };

typedef __m512i code_table;

/// Returns the 16 possible results of a block: as 16 float32, or as 16-bit elements, twice.
AVX512 INLINE code_table make_table(const float *values, float a, qk_float_type type) {
    __m512 product = _mm512_mul_ps(_mm512_loadu_ps(values), _mm512_set1_ps(a));
    __mmask16 nan = _mm512_cmp_ps_mask(product, product, _CMP_UNORD_Q);
    __m512i bits = _mm512_mask_set1_epi32(_mm512_castps_si512(product), nan, 0x7fc00000);
    if (type == QK_FLOAT32)
        return bits;
    if (type == QK_BFLOAT16)
        return _mm512_broadcast_i64x4(narrow_bf16_avx512(bits));
    return _mm512_broadcast_i64x4(
        _mm512_cvtps_ph(_mm512_castsi512_ps(bits), _MM_FROUND_TO_NEAREST_INT));
}

/// Decodes 16 bytes of codes to 32 elements. Only the low bits of an index
/// count, so each element shifts its nibble down to bit 0 and leaves the others above it.
AVX512 INLINE void decode_group(const uint8_t *codes, const code_table *table, qk_float_type type,
                                char *out, int streaming) {
    __m512i source = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)codes));
    if (type == QK_FLOAT32) {
        // Four bytes, eight codes, to eight elements.
        __m512i shift = _mm512_setr_epi32(4, 0, 12, 8, 20, 16, 28, 24, 4, 0, 12, 8, 20, 16, 28, 24);
        __m512i front = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
        __m512i back = _mm512_setr_epi32(2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
        front = _mm512_srlv_epi32(_mm512_permutexvar_epi32(front, source), shift);
        back = _mm512_srlv_epi32(_mm512_permutexvar_epi32(back, source), shift);
        front = _mm512_permutexvar_epi32(front, *table); // elements 0-15
        back = _mm512_permutexvar_epi32(back, *table);   // 16-31
        store_avx512(out, front, ~0ull, streaming);
        store_avx512(out + 64, back, ~0ull, streaming);
    } else {
        // Two bytes, four codes, to four elements.
        __m512i shift = _mm512_set1_epi64(0x0008000c00000004);
        __m512i word = _mm512_set_epi16(7, 7, 7, 7, 6, 6, 6, 6, 5, 5, 5, 5, 4, 4, 4, 4, //
                                        3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
        __m512i index = _mm512_srlv_epi16(_mm512_permutexvar_epi16(word, source), shift);
        store_avx512(out, _mm512_permutexvar_epi16(index, *table), ~0ull, streaming);
    }
}

#define TARGET AVX512
#include "../generic/dequantize_4bit_loop.h"

AVX512 void qk_dequantize_4bit_avx512(const void *codes, const float *absmax, size_t count,
                                      size_t block_size, const float *values, void *out,
                                      qk_float_type type, int streaming) {
    if (dequantize_all(codes, absmax, count, block_size, values, out, type, streaming))
        _mm_sfence();
}

#endif
