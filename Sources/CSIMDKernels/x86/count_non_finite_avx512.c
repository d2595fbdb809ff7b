#include "avx512.h"

#if defined(__x86_64__)

#define TARGET AVX512
#include "../generic/count_non_finite_loop.h"

AVX512 size_t qk_count_non_finite_avx512(const void *in, qk_float_type type, size_t count) {
    return count_all(in, type, count);
}

#endif
