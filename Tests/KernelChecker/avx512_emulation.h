// Makes the AVX-512 kernels compile for a processor that has AVX2 only. Included in front of each of
// their files; SIMDe emulates most instructions, this file those that its Debian release lacks.

#ifndef AVX512_EMULATION_H
#define AVX512_EMULATION_H

#include <immintrin.h>
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <string.h>

#define AVX512 __attribute__((target("avx2,f16c")))
#define AVX512VBMI AVX512
#define EMULATED AVX512 static inline __attribute__((unused))

// Loads the masked ones of N elements of type T, zeros for the others; untouched memory stays so.
#define EMULATE_LOAD(name, vector, mask_type, T, N)                                                \
    EMULATED vector emulated_##name(mask_type mask, const void *memory) {                          \
        T elements[N] = {0};                                                                       \
        vector result;                                                                             \
        for (int i = 0; i < N; i++)                                                                \
            if (mask >> i & 1)                                                                     \
                memcpy(&elements[i], (const T *)memory + i, sizeof(T));                            \
        memcpy(&result, elements, sizeof result);                                                  \
        return result;                                                                             \
    }
EMULATE_LOAD(maskz_loadu_epi8_128, __m128i, __mmask16, uint8_t, 16)
EMULATE_LOAD(maskz_loadu_epi16_256, __m256i, __mmask16, uint16_t, 16)
EMULATE_LOAD(maskz_loadu_epi16, __m512i, __mmask32, uint16_t, 32)
EMULATE_LOAD(maskz_loadu_epi32, __m512i, __mmask16, uint32_t, 16)
EMULATE_LOAD(maskz_loadu_ps, __m512, __mmask16, float, 16)
#define _mm_maskz_loadu_epi8 emulated_maskz_loadu_epi8_128
#define _mm256_maskz_loadu_epi16 emulated_maskz_loadu_epi16_256
#define _mm512_maskz_loadu_epi16 emulated_maskz_loadu_epi16
#define _mm512_maskz_loadu_epi32 emulated_maskz_loadu_epi32
#define _mm512_maskz_loadu_ps emulated_maskz_loadu_ps

#define EMULATE_STORE(name, vector, mask_type, N)                                                  \
    EMULATED void emulated_##name(void *memory, mask_type mask, vector value) {                    \
        uint8_t bytes[N];                                                                          \
        memcpy(bytes, &value, N);                                                                  \
        for (int i = 0; i < N; i++)                                                                \
            if (mask >> i & 1)                                                                     \
                ((uint8_t *)memory)[i] = bytes[i];                                                 \
    }
EMULATE_STORE(mask_storeu_epi8_128, __m128i, __mmask16, 16)
EMULATE_STORE(mask_storeu_epi8_256, __m256i, __mmask32, 32)
EMULATE_STORE(mask_storeu_epi8, __m512i, __mmask64, 64)
#define _mm_mask_storeu_epi8 emulated_mask_storeu_epi8_128
#define _mm256_mask_storeu_epi8 emulated_mask_storeu_epi8_256
#define _mm512_mask_storeu_epi8 emulated_mask_storeu_epi8

// Converts N elements of type From to type To, as C does it.
#define EMULATE_CONVERSION(name, result_type, To, argument_type, From, N)                          \
    EMULATED result_type emulated_##name(argument_type argument) {                                 \
        From from[N];                                                                              \
        To to[N];                                                                                  \
        result_type result;                                                                        \
        memcpy(from, &argument, sizeof from);                                                      \
        for (int i = 0; i < N; i++)                                                                \
            to[i] = (To)from[i];                                                                   \
        memcpy(&result, to, sizeof result);                                                        \
        return result;                                                                             \
    }
EMULATE_CONVERSION(cvtepi32_epi16, __m256i, uint16_t, __m512i, uint32_t, 16)
EMULATE_CONVERSION(cvtepi32_epi8, __m128i, uint8_t, __m512i, uint32_t, 16)
EMULATE_CONVERSION(cvtepi32_ps, __m512, float, __m512i, int32_t, 16)
EMULATE_CONVERSION(cvtepi8_epi32, __m512i, int32_t, __m128i, int8_t, 16)
EMULATE_CONVERSION(cvtepu8_epi32, __m512i, uint32_t, __m128i, uint8_t, 16)
EMULATE_CONVERSION(cvtepu16_epi32, __m512i, uint32_t, __m256i, uint16_t, 16)
#define _mm512_cvtepi32_epi16 emulated_cvtepi32_epi16
#define _mm512_cvtepi32_epi8 emulated_cvtepi32_epi8
#define _mm512_cvtepi32_ps emulated_cvtepi32_ps
#define _mm512_cvtepi8_epi32 emulated_cvtepi8_epi32
#define _mm512_cvtepu8_epi32 emulated_cvtepu8_epi32
#define _mm512_cvtepu16_epi32 emulated_cvtepu16_epi32

// By halves with the instruction of AVX2 or F16C.
#define EMULATE_HALVES(name, result_type, argument_type, Half, call)                               \
    EMULATED result_type emulated_##name(argument_type argument) {                                 \
        result_type result;                                                                        \
        for (int i = 0; i < 2; i++) {                                                              \
            Half half;                                                                             \
            memcpy(&half, (char *)&argument + i * sizeof half, sizeof half);                       \
            __auto_type part = call;                                                               \
            memcpy((char *)&result + i * sizeof part, &part, sizeof part);                         \
        }                                                                                          \
        return result;                                                                             \
    }
EMULATE_HALVES(cvtph_ps, __m512, __m256i, __m128i, _mm256_cvtph_ps(half))
EMULATE_HALVES(cvtps_ph, __m256i, __m512, __m256, _mm256_cvtps_ph(half, _MM_FROUND_TO_NEAREST_INT))
EMULATE_HALVES(cvtps_epi32, __m512i, __m512, __m256, _mm256_cvtps_epi32(half))
#define _mm512_cvtph_ps emulated_cvtph_ps
#undef _mm512_cvtps_ph
#define _mm512_cvtps_ph(value, rounding) emulated_cvtps_ph(value)
#define _mm512_cvtps_epi32 emulated_cvtps_epi32

EMULATED __m512i emulated_i32gather_epi32(__m512i index, const void *memory, int scale) {
    int32_t indices[16], elements[16];
    __m512i result;
    memcpy(indices, &index, sizeof indices);
    for (int i = 0; i < 16; i++)
        memcpy(&elements[i], (const char *)memory + (ptrdiff_t)indices[i] * scale, 4);
    memcpy(&result, elements, sizeof result);
    return result;
}
#undef _mm512_i32gather_epi32
#define _mm512_i32gather_epi32 emulated_i32gather_epi32

EMULATED uint32_t emulated_reduce_max_epu32(__m512i vector) {
    uint32_t elements[16], largest = 0;
    memcpy(elements, &vector, sizeof elements);
    for (int i = 0; i < 16; i++)
        largest = elements[i] > largest ? elements[i] : largest;
    return largest;
}
#define _mm512_reduce_max_epu32 emulated_reduce_max_epu32

EMULATED __m512i emulated_srai_epi32(__m512i vector, unsigned shift) {
    int32_t elements[16];
    memcpy(elements, &vector, sizeof elements);
    for (int i = 0; i < 16; i++)
        elements[i] >>= shift;
    memcpy(&vector, elements, sizeof elements);
    return vector;
}
#define _mm512_srai_epi32 emulated_srai_epi32

// Shifts by a number that the compiler sees only after unrolling.
#define EMULATE_SHIFT(name, T, N)                                                                  \
    EMULATED __m512i emulated_##name(__m512i vector, unsigned shift) {                             \
        T elements[N];                                                                             \
        memcpy(elements, &vector, sizeof elements);                                                \
        for (int i = 0; i < N; i++)                                                                \
            elements[i] >>= shift;                                                                 \
        memcpy(&vector, elements, sizeof elements);                                                \
        return vector;                                                                             \
    }
EMULATE_SHIFT(srli_epi16, uint16_t, 32)
EMULATE_SHIFT(srli_epi32, uint32_t, 16)
#undef _mm512_srli_epi16
#undef _mm512_srli_epi32
#define _mm512_srli_epi16 emulated_srli_epi16
#define _mm512_srli_epi32 emulated_srli_epi32

// One rounding, as the instruction has.
EMULATED __m512 emulated_fmadd_ps(__m512 a, __m512 b, __m512 c) {
    float x[16], y[16], z[16];
    memcpy(x, &a, sizeof x);
    memcpy(y, &b, sizeof y);
    memcpy(z, &c, sizeof z);
    for (int i = 0; i < 16; i++)
        z[i] = __builtin_fmaf(x[i], y[i], z[i]);
    memcpy(&c, z, sizeof z);
    return c;
}
#undef _mm512_fmadd_ps
#define _mm512_fmadd_ps emulated_fmadd_ps

// The products of bfloat16 are exact in float32; how their sums round differs between processors.
typedef __m512i emulated_m512bh;
#define __m512bh emulated_m512bh
EMULATED __m512 emulated_dpbf16_ps(__m512 sum, __m512i a, __m512i b) {
    float sums[16];
    uint32_t x[16], y[16];
    memcpy(sums, &sum, sizeof sums);
    memcpy(x, &a, sizeof x);
    memcpy(y, &b, sizeof y);
    for (int i = 0; i < 16; i++)
        for (int half = 0; half < 2; half++) {
            uint32_t bits[2] = {half ? x[i] & 0xffff0000 : x[i] << 16,
                                half ? y[i] & 0xffff0000 : y[i] << 16};
            float factors[2];
            memcpy(factors, bits, sizeof factors);
            sums[i] += factors[0] * factors[1];
        }
    memcpy(&sum, sums, sizeof sums);
    return sum;
}
#undef _mm512_dpbf16_ps
#define _mm512_dpbf16_ps emulated_dpbf16_ps

// Rounds to bfloat16, ties to even; the elements of `low` go first. Subnormal numbers become zero.
EMULATED __m512i emulated_cvtne2ps_pbh(__m512 high, __m512 low) {
    uint32_t bits[32];
    uint16_t rounded[32];
    __m512i result;
    memcpy(bits, &low, sizeof low);
    memcpy(bits + 16, &high, sizeof high);
    for (int i = 0; i < 32; i++) {
        int is_nan = (bits[i] & 0x7fffffff) > 0x7f800000, is_small = (bits[i] & 0x7f800000) == 0;
        uint32_t nearest = (bits[i] + 0x7fff + (bits[i] >> 16 & 1)) >> 16;
        rounded[i] = is_nan ? 0x7fc0 : is_small ? (bits[i] & 0x80000000) >> 16 : nearest;
    }
    memcpy(&result, rounded, sizeof result);
    return result;
}
#undef _mm512_cvtne2ps_pbh
#define _mm512_cvtne2ps_pbh emulated_cvtne2ps_pbh

EMULATED void emulated_mask_storeu_ps(void *memory, __mmask16 mask, __m512 value) {
    float elements[16];
    memcpy(elements, &value, sizeof elements);
    for (int i = 0; i < 16; i++)
        if (mask >> i & 1)
            memcpy((float *)memory + i, &elements[i], sizeof(float));
}
#define _mm512_mask_storeu_ps emulated_mask_storeu_ps

EMULATED void emulated_stream_si512(void *memory, __m512i value) {
    if ((uintptr_t)memory % 64 != 0)
        __builtin_trap();
    memcpy(memory, &value, sizeof value);
}
#define _mm512_stream_si512 emulated_stream_si512

#endif
