#pragma STDC FP_CONTRACT OFF

#include "int8_sums_neon.h"

#if defined(__aarch64__)

#include "../generic/multiply_int8_loop.h"

TARGET void qk_multiply_8bit_int8_neon(const qk_multiply_arguments *a) { multiply_8bit(a); }

#endif
