#ifndef QK_ABSMAX_AVX2_H
#define QK_ABSMAX_AVX2_H

#include "../generic/absmax_bits.h"
#include "avx2.h"

#if defined(__x86_64__)

/// Returns the largest magnitude of `count` elements; a NaN or an infinity shows.
AVX2 INLINE float absmax_avx2(const char *input, qk_float_type type, size_t count) {
    size_t size = type == QK_FLOAT32 ? 4 : 2, body = count & ~(size_t)31;
    uint32_t largest = qk_absmax_bits(input, type, body, count - body);
    __m256i best = _mm256_setzero_si256(), other = best;
    if (type == QK_FLOAT32) {
        __m256i mask = _mm256_set1_epi32(0x7fffffff);
        for (size_t i = 0; i < body * size; i += 64) {
            __m256i a = _mm256_loadu_si256((const __m256i *)(input + i));
            __m256i b = _mm256_loadu_si256((const __m256i *)(input + i + 32));
            best = _mm256_max_epu32(best, _mm256_and_si256(a, mask));
            other = _mm256_max_epu32(other, _mm256_and_si256(b, mask));
        }
        best = _mm256_max_epu32(best, other);
        __m128i half = _mm_max_epu32(_mm256_castsi256_si128(best),
                                     _mm256_extracti128_si256(best, 1));
        half = _mm_max_epu32(half, _mm_srli_si128(half, 8));
        half = _mm_max_epu32(half, _mm_srli_si128(half, 4));
        uint32_t bits = (uint32_t)_mm_cvtsi128_si32(half);
        largest = bits > largest ? bits : largest;
    } else {
        __m256i mask = _mm256_set1_epi16(0x7fff);
        for (size_t i = 0; i < body * size; i += 64) {
            __m256i a = _mm256_loadu_si256((const __m256i *)(input + i));
            __m256i b = _mm256_loadu_si256((const __m256i *)(input + i + 32));
            best = _mm256_max_epu16(best, _mm256_and_si256(a, mask));
            other = _mm256_max_epu16(other, _mm256_and_si256(b, mask));
        }
        best = _mm256_max_epu16(best, other);
        __m128i half = _mm_max_epu16(_mm256_castsi256_si128(best),
                                     _mm256_extracti128_si256(best, 1));
        // minpos finds the smallest of eight 16-bit numbers: the largest complement.
        half = _mm_minpos_epu16(_mm_xor_si128(half, _mm_set1_epi16(-1)));
        uint16_t bits = (uint16_t)~_mm_cvtsi128_si32(half);
        uint32_t wide = type == QK_BFLOAT16 ? (uint32_t)bits << 16 : qk_widen_f16(bits);
        largest = wide > largest ? wide : largest;
    }
    return qk_absmax_value(largest);
}

#endif

#endif
