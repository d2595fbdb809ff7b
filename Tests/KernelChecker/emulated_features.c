#include "qk_features.h"

// In place of the question to the processor, where AVX-512 is emulated.
uint32_t qk_host_features(void) {
    return QK_FEATURE_AVX2 | QK_FEATURE_AVX512 | QK_FEATURE_AVX512VBMI | QK_FEATURE_AVX512VNNI |
           QK_FEATURE_AVX512BF16;
}
