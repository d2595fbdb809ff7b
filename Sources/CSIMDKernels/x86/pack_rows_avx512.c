#pragma STDC FP_CONTRACT OFF

#include "../generic/pack_rows_loop.h"
#include "avx512.h"

#if defined(__x86_64__)

AVX512 void qk_pack_rows_avx512(const float *x, size_t stride, size_t rows, size_t k, size_t group,
                                qk_row_packing packing, void *packed) {
    pack_rows(x, stride, rows, k, group, packing, packed);
}

#endif
