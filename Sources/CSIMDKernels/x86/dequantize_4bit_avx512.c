#pragma STDC FP_CONTRACT OFF

#include "avx512.h"
#include "qk_dequantize_4bit.h"

#if defined(__x86_64__)

// Elements that are decoded together: 16 bytes of codes.
enum { GROUP = 32 };

/// Returns the 16 possible results of a block: as 16 float32, or as 16-bit elements, twice.
AVX512 INLINE __m512i make_table(const float *values, float a, qk_float_type type) {
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

/// Decodes up to 16 bytes of codes to `count` elements, at most 32. Only the low bits of an index
/// count, so each element shifts its nibble down to bit 0 and leaves the others above it.
AVX512 INLINE void decode_group(const uint8_t *codes, size_t count, __m512i table,
                                qk_float_type type, char *out, int streaming) {
    __m128i packed = _mm_maskz_loadu_epi8((__mmask16)first32((count + 1) / 2), codes);
    __m512i source = _mm512_castsi128_si512(packed);
    if (type == QK_FLOAT32) {
        // Four bytes, eight codes, to eight elements.
        __m512i shift = _mm512_setr_epi32(4, 0, 12, 8, 20, 16, 28, 24, 4, 0, 12, 8, 20, 16, 28, 24);
        __m512i front = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
        __m512i back = _mm512_setr_epi32(2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
        front = _mm512_srlv_epi32(_mm512_permutexvar_epi32(front, source), shift);
        back = _mm512_srlv_epi32(_mm512_permutexvar_epi32(back, source), shift);
        front = _mm512_permutexvar_epi32(front, table); // elements 0-15
        back = _mm512_permutexvar_epi32(back, table);   // 16-31
        store_avx512(out, front, first64(4 * count), streaming);
        if (count > 16)
            store_avx512(out + 64, back, first64(4 * (count - 16)), streaming);
    } else {
        // Two bytes, four codes, to four elements.
        __m512i shift = _mm512_set1_epi64(0x0008000c00000004);
        __m512i word = _mm512_set_epi16(7, 7, 7, 7, 6, 6, 6, 6, 5, 5, 5, 5, 4, 4, 4, 4, //
                                        3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
        __m512i index = _mm512_srlv_epi16(_mm512_permutexvar_epi16(word, source), shift);
        store_avx512(out, _mm512_permutexvar_epi16(index, table), first64(2 * count), streaming);
    }
}

AVX512 INLINE void dequantize(const uint8_t *codes, const float *absmax, size_t count,
                              size_t block_size, const float *values, char *out,
                              qk_float_type type, int streaming) {
    size_t size = qk_float_size(type);
    for (size_t block = 0, start = 0; start < count; block++, start += block_size) {
        size_t end = count - start < block_size ? count : start + block_size;
        __m512i table = make_table(values, absmax[block], type);
        size_t i = start;
        for (; i + GROUP <= end; i += GROUP)
            decode_group(codes + i / 2, GROUP, table, type, out + i * size, streaming);
        if (i < end)
            decode_group(codes + i / 2, end - i, table, type, out + i * size, 0);
    }
}

AVX512 void qk_dequantize_4bit_avx512(const void *codes, const float *absmax, size_t count,
                                      size_t block_size, const float *values, void *out,
                                      qk_float_type type, int streaming) {
    // Streaming stores need aligned addresses, in every block.
    if ((uintptr_t)out % 64 != 0 || block_size % GROUP != 0)
        streaming = 0;
#define CALL(type, streaming)                                                                      \
    dequantize(codes, absmax, count, block_size, values, out, type, streaming)
    if (type == QK_FLOAT32)
        streaming ? CALL(QK_FLOAT32, 1) : CALL(QK_FLOAT32, 0);
    else if (type == QK_BFLOAT16)
        streaming ? CALL(QK_BFLOAT16, 1) : CALL(QK_BFLOAT16, 0);
    else
        streaming ? CALL(QK_FLOAT16, 1) : CALL(QK_FLOAT16, 0);
#undef CALL
    if (streaming)
        _mm_sfence();
}

#endif
