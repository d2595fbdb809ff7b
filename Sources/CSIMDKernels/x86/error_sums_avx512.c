#pragma STDC FP_CONTRACT OFF

#include "avx512.h"
#include "vector8_avx2.h"

#if defined(__x86_64__)

#define TARGET AVX512
#include "../generic/error_sums_loop.h"

AVX512 void qk_error_sums_avx512(const void *x, qk_float_type x_type, const void *y, qk_float_type y_type, size_t count, qk_error_sums *sums) {
    sum_all(x, x_type, y, y_type, count, sums);
}

#endif
