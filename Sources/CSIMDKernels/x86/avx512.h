#ifndef QK_AVX512_H
#define QK_AVX512_H

#include "../generic/absmax_bits.h"

#if defined(__x86_64__)
#include <immintrin.h>

/// Compiles a function for QK_FEATURE_AVX512. A test that emulates the instructions defines it before.
#if !defined(AVX512)
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx2,f16c")))
#endif
#define INLINE static inline __attribute__((always_inline))

/// Returns a mask of the first `count` of 32 or 64 elements.
AVX512 INLINE __mmask32 first32(size_t count) {
    return count >= 32 ? ~(__mmask32)0 : ((__mmask32)1 << count) - 1;
}
AVX512 INLINE __mmask64 first64(size_t count) {
    return count >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << count) - 1;
}
/// The same for the 16 elements that begin `start` elements further on.
AVX512 INLINE __mmask16 first16(size_t count, size_t start) {
    return count <= start ? 0 : (__mmask16)first32(count - start);
}

/// Stores the masked bytes, all of them and past the caches if `streaming`; the address must then
/// be a multiple of 64.
AVX512 INLINE void store_avx512(void *out, __m512i vector, __mmask64 mask, int streaming) {
    if (streaming)
        _mm512_stream_si512((__m512i *)out, vector);
    else if (mask == ~(__mmask64)0)
        _mm512_storeu_si512(out, vector);
    else
        _mm512_mask_storeu_epi8(out, mask, vector);
}

/// Rounds sixteen float32 to bfloat16. NaNs must be canonical. The instruction of AVX512-BF16 is no
/// alternative: it flushes subnormal numbers to zero.
AVX512 INLINE __m256i narrow_bf16_avx512(__m512i bits) {
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
}

/// Returns the masked ones of 16 elements as float32, zeros for the others.
AVX512 INLINE __m512 load_avx512(const char *input, qk_float_type type, __mmask16 mask) {
    if (type == QK_FLOAT32)
        return _mm512_maskz_loadu_ps(mask, input);
    __m256i words = _mm256_maskz_loadu_epi16(mask, input);
    if (type == QK_FLOAT16)
        return _mm512_cvtph_ps(words);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(words), 16));
}

/// Returns the largest magnitude of `count` elements; a NaN or an infinity shows.
AVX512 INLINE float absmax_avx512(const char *input, qk_float_type type, size_t count) {
    __m512i best = _mm512_setzero_si512(), other = best;
    if (type == QK_FLOAT32) {
        __m512i mask = _mm512_set1_epi32(0x7fffffff);
        for (size_t i = 0; i < count; i += 32) {
            const char *in = input + 4 * i;
            __m512i a = _mm512_maskz_loadu_epi32(first16(count - i, 0), in);
            __m512i b = _mm512_maskz_loadu_epi32(first16(count - i, 16), in + 64);
            best = _mm512_max_epu32(best, _mm512_and_si512(a, mask));
            other = _mm512_max_epu32(other, _mm512_and_si512(b, mask));
        }
        return qk_absmax_value(_mm512_reduce_max_epu32(_mm512_max_epu32(best, other)));
    }
    __m512i mask = _mm512_set1_epi16(0x7fff);
    for (size_t i = 0; i < count; i += 32) {
        __m512i a = _mm512_maskz_loadu_epi16(first32(count - i), input + 2 * i);
        best = _mm512_max_epu16(best, _mm512_and_si512(a, mask));
    }
    __m256i half = _mm256_max_epu16(_mm512_castsi512_si256(best),
                                    _mm512_extracti64x4_epi64(best, 1));
    __m128i quarter = _mm_max_epu16(_mm256_castsi256_si128(half),
                                    _mm256_extracti128_si256(half, 1));
    // minpos finds the smallest of eight 16-bit numbers: the largest complement.
    quarter = _mm_minpos_epu16(_mm_xor_si128(quarter, _mm_set1_epi16(-1)));
    uint16_t bits = (uint16_t)~_mm_cvtsi128_si32(quarter);
    return qk_absmax_value(type == QK_BFLOAT16 ? (uint32_t)bits << 16 : qk_widen_f16(bits));
}

#endif

#endif
