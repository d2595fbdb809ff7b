#include "qk_features.h"
#include "qk_peak_rate.h"

// The loops, one for a mode and a set of instructions: sums that do not wait for each other, as
// many as the latency of an instruction asks for, and operands in registers.

enum { SUMS = 12 };
#define UNROLL _Pragma("GCC unroll 12")
// Keeps a sum in its register, so that no compiler takes the loop apart.
#define KEEP(constraint, sum) __asm__ volatile("" : "+" constraint(sum))

#define DEFINE_LOOP(NAME, TARGET, VECTOR, CONSTRAINT, ZERO, STEP)                                  \
    TARGET static float NAME(size_t rounds) {                                                      \
        VECTOR sums[SUMS];                                                                         \
        UNROLL for (int i = 0; i < SUMS; i++) sums[i] = ZERO;                                      \
        VECTOR a = ZERO, b = ZERO;                                                                 \
        KEEP(CONSTRAINT, a);                                                                       \
        KEEP(CONSTRAINT, b);                                                                       \
        for (size_t round = 0; round < rounds; round++) {                                          \
            UNROLL for (int i = 0; i < SUMS; i++) {                                                \
                sums[i] = STEP(sums[i], a, b);                                                     \
                KEEP(CONSTRAINT, sums[i]);                                                         \
            }                                                                                      \
        }                                                                                          \
        float first[SUMS];                                                                         \
        for (int i = 0; i < SUMS; i++)                                                             \
            first[i] = ((const float *)&sums[i])[0];                                               \
        float total = 0;                                                                           \
        for (int i = 0; i < SUMS; i++)                                                             \
            total += first[i];                                                                     \
        return total;                                                                              \
    }

#if defined(__x86_64__)
#include <immintrin.h>

#define FMA_512(sum, a, b) _mm512_fmadd_ps(a, b, sum)
#define DOT_BF16(sum, a, b) _mm512_dpbf16_ps(sum, (__m512bh)(a), (__m512bh)(b))
#define FMA_256(sum, a, b) _mm256_fmadd_ps(a, b, sum)
DEFINE_LOOP(float32_avx512, __attribute__((target("avx512f"))), __m512, "v", _mm512_setzero_ps(),
            FMA_512)
DEFINE_LOOP(bfloat16_avx512_bf16, __attribute__((target("avx512f,avx512bf16"))), __m512, "v",
            _mm512_setzero_ps(), DOT_BF16)
DEFINE_LOOP(int8_avx512_vnni, __attribute__((target("avx512f,avx512vnni"))), __m512i, "v",
            _mm512_setzero_si512(), _mm512_dpbusd_epi32)
DEFINE_LOOP(float32_avx2, __attribute__((target("avx2,fma"))), __m256, "x", _mm256_setzero_ps(),
            FMA_256)
#endif

// The vectors every processor of an architecture has.
typedef float vector4 __attribute__((vector_size(16)));
#define MULTIPLY_ADD(sum, a, b) ((sum) + (a) * (b))
static const vector4 zero4 = {0, 0, 0, 0};
#if defined(__x86_64__)
#define REGISTER "x"
#elif defined(__aarch64__)
#define REGISTER "w"
#else
#define REGISTER "m"
#endif
DEFINE_LOOP(float32_generic, , vector4, REGISTER, zero4, MULTIPLY_ADD)

static const qk_peak_rate_entry entries[] = {
#if defined(__x86_64__)
    {{"avx512", "avx512", QK_FEATURE_AVX512, 1}, QK_PEAK_FLOAT32, float32_avx512, SUMS * 16 * 2},
    {{"avx2", "avx2", QK_FEATURE_AVX2, 1}, QK_PEAK_FLOAT32, float32_avx2, SUMS * 8 * 2},
#endif
    {{"generic", "generic", 0, 1}, QK_PEAK_FLOAT32, float32_generic, SUMS * 4 * 2},
#if defined(__x86_64__)
    {{"avx512_bf16", "avx512", QK_FEATURE_AVX512 | QK_FEATURE_AVX512BF16, 1},
     QK_PEAK_BFLOAT16,
     bfloat16_avx512_bf16,
     SUMS * 32 * 2},
    {{"avx512_vnni", "avx512", QK_FEATURE_AVX512 | QK_FEATURE_AVX512VNNI, 1},
     QK_PEAK_INT8,
     int8_avx512_vnni,
     SUMS * 64 * 2},
#endif
};

const qk_peak_rate_entry *qk_peak_rate_entries(size_t *count) {
    *count = sizeof entries / sizeof entries[0];
    return entries;
}
