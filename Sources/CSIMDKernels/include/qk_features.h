#ifndef QK_FEATURES_H
#define QK_FEATURES_H

#include <stdint.h>

/// Instruction sets a kernel variant may need. A set bit means: the processor has it and the
/// operating system saves its registers.
enum {
    QK_FEATURE_AVX2 = 1 << 0,       // AVX, AVX2, FMA, F16C, BMI1, BMI2, POPCNT
    QK_FEATURE_AVX512 = 1 << 1,     // F, BW, DQ, VL, CD; never without AVX2
    QK_FEATURE_AVX512VBMI = 1 << 2, // the bits below never without AVX512
    QK_FEATURE_AVX512VNNI = 1 << 3,
    QK_FEATURE_AVX512BF16 = 1 << 4,
    QK_FEATURE_NEON = 1 << 5,
    QK_FEATURE_NEON_DOTPROD = 1 << 6, // never without NEON
};

/// Returns the features of the host, as asked of the processor each time.
uint32_t qk_host_features(void);

#endif
