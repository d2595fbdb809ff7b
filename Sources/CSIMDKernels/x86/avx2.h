#ifndef QK_AVX2_H
#define QK_AVX2_H

#if defined(__x86_64__)
#include <immintrin.h>

/// Compiles a function for QK_FEATURE_AVX2. FMA is left out, so that no compiler fuses what a
/// formula rounds twice.
#define AVX2 __attribute__((target("avx2,f16c")))
#define INLINE static inline __attribute__((always_inline))

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
