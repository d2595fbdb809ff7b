#include "avx512.h"

#if defined(__x86_64__)

#define LANES 16
#define TARGET AVX512
#define ROWS 6
#define OUTPUTS 4
#define LOAD_WEIGHTS(address, type) ((vec)load_avx512(address, type, 0xffff))
#include "../generic/vector_lanes.h"
#include "../generic/multiply_dense_loop.h"

AVX512 void qk_multiply_dense_avx512(const qk_multiply_dense_arguments *a) { multiply_dense(a); }

AVX512 void qk_multiply_dense_transposed_avx512(const qk_multiply_dense_arguments *a) {
    multiply_dense_transposed(a);
}

#endif
