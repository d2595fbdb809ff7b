#pragma STDC FP_CONTRACT OFF

#include "vector8_neon.h"

#if defined(__aarch64__)

#define TARGET
#include "../generic/convert_float_loop.h"

void qk_convert_float_neon(const void *in, qk_float_type in_type, size_t count, void *out, qk_float_type out_type, qk_convert_counts *counts) {
    convert_all(in, in_type, count, out, out_type, counts);
}

#endif
