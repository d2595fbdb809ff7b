#include "avx2.h"

#if defined(__x86_64__)

#define LANES 8
#define TARGET AVX2_FMA
#define ROWS 2
#define OUTPUTS 4
#define LOAD_WEIGHTS(address, type) ((vec)load_avx2(address, type))
#include "../generic/vector_lanes.h"
#include "../generic/multiply_dense_loop.h"

AVX2_FMA void qk_multiply_dense_avx2(const qk_multiply_dense_arguments *a) { multiply_dense(a); }

AVX2_FMA void qk_multiply_dense_transposed_avx2(const qk_multiply_dense_arguments *a) {
    multiply_dense_transposed(a);
}

#endif
