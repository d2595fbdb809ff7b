#ifndef QK_AVX512_BF16_H
#define QK_AVX512_BF16_H

/// Compiles functions for QK_FEATURE_AVX512BF16, too. Included before all other headers of AVX-512.
#if defined(__x86_64__) && !defined(AVX512)
#define AVX512                                                                                     \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512bf16,avx2,f16c")))
#endif
#include "avx512.h"

#endif
