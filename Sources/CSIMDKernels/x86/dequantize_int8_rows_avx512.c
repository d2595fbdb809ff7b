#pragma STDC FP_CONTRACT OFF

#include "../generic/int8_row.h"
#include "avx512.h"
#include "qk_dequantize_int8_rows.h"

#if defined(__x86_64__)

// Elements that are decoded together: one vector of the narrowest output.
enum { GROUP = 32 };

/// Returns the masked ones of 16 elements before their rounding.
AVX512 INLINE __m512 scaled(const int8_t *codes, __mmask16 mask, __m512 scale) {
    __m512i n = _mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, codes));
    __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(n), scale);
    return _mm512_mul_ps(product, _mm512_set1_ps(QK_INT8_UNIT));
}

AVX512 INLINE __m256i narrow(__m512 x, qk_float_type type) {
    return type == QK_BFLOAT16 ? narrow_bf16_avx512(_mm512_castps_si512(x))
                               : _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
}

/// Decodes up to 32 elements.
AVX512 INLINE void decode_group(const int8_t *codes, size_t count, __m512 scale, char *out,
                                qk_float_type type, int streaming) {
    __m512 front = scaled(codes, first16(count, 0), scale);
    __m512 back = scaled(codes + 16, first16(count, 16), scale);
    if (type == QK_FLOAT32) {
        store_avx512(out, _mm512_castps_si512(front), first64(4 * count), streaming);
        if (count > 16)
            store_avx512(out + 64, _mm512_castps_si512(back), first64(4 * (count - 16)),
                         streaming);
    } else {
        __m512i halves = _mm512_castsi256_si512(narrow(front, type));
        halves = _mm512_inserti64x4(halves, narrow(back, type), 1);
        store_avx512(out, halves, first64(2 * count), streaming);
    }
}

AVX512 INLINE void dequantize(const int8_t *codes, const float *scales, size_t row_count,
                              size_t column_count, char *out, qk_float_type type, int streaming) {
    size_t size = qk_float_size(type);
    for (size_t row = 0; row < row_count; row++) {
        const int8_t *in = codes + row * column_count;
        char *row_out = out + row * column_count * size;
        // Only these scales can give a NaN, and the vectors do not make it canonical.
        if ((qk_bits_of(scales[row]) & 0x7fffffff) >= 0x7f800000) {
            qk_dequantize_int8_run(in, scales[row], column_count, row_out, type);
            continue;
        }
        __m512 scale = _mm512_set1_ps(scales[row]);
        size_t i = 0;
        for (; i + GROUP <= column_count; i += GROUP)
            decode_group(in + i, GROUP, scale, row_out + i * size, type, streaming);
        if (i < column_count)
            decode_group(in + i, column_count - i, scale, row_out + i * size, type, 0);
    }
}

AVX512 void qk_dequantize_int8_rows_avx512(const void *codes, const float *scales,
                                           size_t row_count, size_t column_count, void *out,
                                           qk_float_type type, int streaming) {
    // Streaming stores need aligned addresses, in every row.
    if ((uintptr_t)out % 64 != 0 || column_count % GROUP != 0)
        streaming = 0;
#define CALL(type, streaming)                                                                      \
    dequantize(codes, scales, row_count, column_count, out, type, streaming)
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
