#pragma STDC FP_CONTRACT OFF

#include "avx512.h"
#include "vector8_avx2.h"

#if defined(__x86_64__)

#define TARGET AVX512
#include "../generic/convert_float_loop.h"

AVX512 void qk_convert_float_avx512(const void *in, qk_float_type in_type, size_t count, void *out, qk_float_type out_type, qk_convert_counts *counts) {
    convert_all(in, in_type, count, out, out_type, counts);
}

#endif
