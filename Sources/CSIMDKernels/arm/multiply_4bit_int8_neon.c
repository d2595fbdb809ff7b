#pragma STDC FP_CONTRACT OFF

#include "int8_sums_neon.h"

#if defined(__aarch64__)

#include "../generic/multiply_int8_loop.h"

TARGET void qk_multiply_4bit_int8_neon(const qk_multiply_arguments *a) { multiply_4bit(a); }

#endif
