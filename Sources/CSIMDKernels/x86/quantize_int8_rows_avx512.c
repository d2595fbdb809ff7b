#pragma STDC FP_CONTRACT OFF

#include "../generic/int8_row.h"
#include "avx512.h"

#if defined(__x86_64__)

AVX512 INLINE void quantize_row(const char *input, qk_float_type type, size_t count, float s,
                                int8_t *codes) {
    __m512 factor = _mm512_set1_ps(s);
    size_t size = qk_float_size(type);
    for (size_t i = 0; i < count; i += 16) {
        __mmask16 mask = first16(count - i, 0);
        __m512 w = load_avx512(input + i * size, type, mask);
        if (type != QK_FLOAT16)
            w = _mm512_cvtph_ps(_mm512_cvtps_ph(w, _MM_FROUND_TO_NEAREST_INT));
        __m512i n = _mm512_cvtps_epi32(_mm512_mul_ps(w, factor));
        _mm_mask_storeu_epi8(codes + i, mask, _mm512_cvtepi32_epi8(n));
    }
}

#define TARGET AVX512
#define find_absmax absmax_avx512
#include "../generic/quantize_int8_rows_loop.h"

AVX512 void qk_quantize_int8_rows_avx512(const void *input, qk_float_type type, size_t row_count,
                                size_t column_count, void *codes, float *scales) {
    quantize_all(input, type, row_count, column_count, codes, scales);
}

#endif
