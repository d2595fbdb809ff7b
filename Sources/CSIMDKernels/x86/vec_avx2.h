#ifndef QK_VEC_AVX2_H
#define QK_VEC_AVX2_H

#include "avx2.h"

#if defined(__x86_64__)

// The registers of the loops that instruction sets share.

#define TARGET AVX2_FMA

typedef __m256 vec;
enum { LANES = 8 };

#define load_vec _mm256_loadu_ps
#define store_vec _mm256_storeu_ps
#define broadcast(value) _mm256_set1_ps(value)
#define add _mm256_add_ps
#define multiply _mm256_mul_ps
#define fused_multiply_add _mm256_fmadd_ps

#endif

#endif
