#pragma STDC FP_CONTRACT OFF

#include "vector8_neon.h"

#if defined(__aarch64__)

#define TARGET
#include "../generic/error_sums_loop.h"

void qk_error_sums_neon(const void *x, qk_float_type x_type, const void *y, qk_float_type y_type, size_t count, qk_error_sums *sums) {
    sum_all(x, x_type, y, y_type, count, sums);
}

#endif
