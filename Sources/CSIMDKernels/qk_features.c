#include "qk_features.h"

#if defined(__x86_64__)
#include <cpuid.h>

// The state components (XCR0) that the operating system saves: 1 SSE, 2 AVX, 5-7 AVX-512.
__attribute__((target("xsave"))) static uint64_t saved_state(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static int has(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

uint32_t qk_host_features(void) {
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return 0;
    if (!has(c, bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C | bit_POPCNT))
        return 0;
    uint64_t state = saved_state();
    if ((state & 0x06) != 0x06)
        return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return 0;
    uint32_t subleaf_count = a;
    if (!has(b, bit_AVX2 | bit_BMI | bit_BMI2))
        return 0;
    uint32_t features = QK_FEATURE_AVX2;

    if ((state & 0xe0) != 0xe0)
        return features;
    if (!has(b, bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL | bit_AVX512CD))
        return features;
    features |= QK_FEATURE_AVX512;
    if (has(c, bit_AVX512VBMI))
        features |= QK_FEATURE_AVX512VBMI;
    if (has(c, bit_AVX512VNNI))
        features |= QK_FEATURE_AVX512VNNI;
    if (subleaf_count >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && has(a, bit_AVX512BF16))
        features |= QK_FEATURE_AVX512BF16;
    return features;
}

#elif defined(__aarch64__)

#if defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>

static int has_dot_products(void) { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
#elif defined(__APPLE__)
#include <stddef.h>
#include <sys/sysctl.h>

static int has_dot_products(void) {
    int value = 0;
    size_t size = sizeof value;
    return sysctlbyname("hw.optional.arm.FEAT_DotProd", &value, &size, NULL, 0) == 0 && value;
}
#else
static int has_dot_products(void) { return 0; }
#endif

// NEON is part of every AArch64 processor.
uint32_t qk_host_features(void) {
    return QK_FEATURE_NEON | (has_dot_products() ? QK_FEATURE_NEON_DOTPROD : 0);
}

#else

uint32_t qk_host_features(void) { return 0; }

#endif
