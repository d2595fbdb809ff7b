#pragma STDC FP_CONTRACT OFF

#include "int8_products_avx2.h"

#if defined(__x86_64__)

enum { VECTORS = 1, ROWS = 4 };

#include "../generic/multiply_int8_loop.h"

TARGET void qk_multiply_4bit_int8_avx2(const qk_multiply_arguments *a) { multiply_4bit(a); }

#endif
