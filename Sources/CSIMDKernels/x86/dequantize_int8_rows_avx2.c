#pragma STDC FP_CONTRACT OFF

#include "../generic/int8_row.h"
#include "avx2.h"
#include "qk_dequantize_int8_rows.h"

#if defined(__x86_64__)

// Elements that are decoded together.
enum { GROUP = 16 };

/// Returns eight elements before their rounding.
AVX2 INLINE __m256 scaled(const int8_t *codes, __m256 scale) {
    __m256i n = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)codes));
    __m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(n), scale);
    return _mm256_mul_ps(product, _mm256_set1_ps(QK_INT8_UNIT));
}

AVX2 INLINE void decode_row(const int8_t *codes, float a, size_t count, char *out,
                            qk_float_type type, int streaming) {
    __m256 scale = _mm256_set1_ps(a);
    size_t size = type == QK_FLOAT32 ? 4 : 2, i = 0;
    for (; i + GROUP <= count; i += GROUP) {
        __m256 low = scaled(codes + i, scale), high = scaled(codes + i + 8, scale);
        char *group = out + i * size;
        if (type == QK_FLOAT32) {
            store_avx2(group, _mm256_castps_si256(low), streaming);
            store_avx2(group + 32, _mm256_castps_si256(high), streaming);
        } else if (type == QK_BFLOAT16) {
            // 0-3, 8-11 and 4-7, 12-15; the permutation brings them in order.
            __m256i halves = _mm256_packus_epi32(narrow_bf16_avx2(_mm256_castps_si256(low)),
                                                 narrow_bf16_avx2(_mm256_castps_si256(high)));
            store_avx2(group, _mm256_permute4x64_epi64(halves, 0xd8), streaming);
        } else {
            __m128i front = _mm256_cvtps_ph(low, _MM_FROUND_TO_NEAREST_INT);
            __m128i back = _mm256_cvtps_ph(high, _MM_FROUND_TO_NEAREST_INT);
            __m256i halves = _mm256_inserti128_si256(_mm256_castsi128_si256(front), back, 1);
            store_avx2(group, halves, streaming);
        }
    }
    qk_dequantize_int8_run(codes + i, a, count - i, out + i * size, type);
}

AVX2 INLINE void dequantize(const int8_t *codes, const float *scales, size_t row_count,
                            size_t column_count, char *out, qk_float_type type, int streaming) {
    size_t row_size = column_count * (type == QK_FLOAT32 ? 4 : 2);
    for (size_t row = 0; row < row_count; row++) {
        const int8_t *in = codes + row * column_count;
        char *row_out = out + row * row_size;
        // Only these scales can give a NaN, and the vectors do not make it canonical.
        if ((qk_bits_of(scales[row]) & 0x7fffffff) >= 0x7f800000)
            qk_dequantize_int8_run(in, scales[row], column_count, row_out, type);
        else
            decode_row(in, scales[row], column_count, row_out, type, streaming);
    }
}

AVX2 void qk_dequantize_int8_rows_avx2(const void *codes, const float *scales, size_t row_count,
                                       size_t column_count, void *out, qk_float_type type,
                                       int streaming) {
    // Streaming stores need aligned addresses, in every row.
    if ((uintptr_t)out % 32 != 0 || column_count % GROUP != 0)
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
