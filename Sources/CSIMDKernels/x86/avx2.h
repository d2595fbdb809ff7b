#ifndef QK_AVX2_H
#define QK_AVX2_H

#include "qk_types.h"

#if defined(__x86_64__)
#include <immintrin.h>

/// Compiles a function for QK_FEATURE_AVX2. FMA is left out, so that no compiler fuses what a
/// formula rounds twice.
#define AVX2 __attribute__((target("avx2,f16c")))
/// With FMA, where a formula says it.
#define AVX2_FMA __attribute__((target("avx2,fma,f16c")))
#define INLINE static inline __attribute__((always_inline))

/// Returns eight elements as float32.
AVX2 INLINE __m256 load_avx2(const char *input, qk_float_type type) {
    if (type == QK_FLOAT32)
        return _mm256_loadu_ps((const float *)input);
    __m128i words = _mm_loadu_si128((const __m128i *)input);
    if (type == QK_FLOAT16)
        return _mm256_cvtph_ps(words);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(words), 16));
}

/// Looks up a table of 16 values with the low 4 bits of an index: two look-ups of eight, chosen by
/// the highest of the 4.
AVX2 INLINE __m256 look_up_avx2(__m256 low, __m256 high, __m256i index) {
    __m256 bit3 = _mm256_castsi256_ps(_mm256_slli_epi32(index, 28));
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, index),
                            _mm256_permutevar8x32_ps(high, index), bit3);
}

/// Stores 32 bytes, past the caches if `streaming`; the address must then be a multiple of 32.
AVX2 INLINE void store_avx2(void *out, __m256i vector, int streaming) {
    if (streaming)
        _mm256_stream_si256((__m256i *)out, vector);
    else
        _mm256_storeu_si256((__m256i *)out, vector);
}

/// Rounds eight float32 to bfloat16, in the low halves. NaNs must be canonical.
AVX2 INLINE __m256i narrow_bf16_avx2(__m256i bits) {
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
    return _mm256_srli_epi32(rounded, 16);
}

#endif

#endif
