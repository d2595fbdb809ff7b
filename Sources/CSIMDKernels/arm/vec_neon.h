#ifndef QK_VEC_NEON_H
#define QK_VEC_NEON_H

#include "neon.h"

#if defined(__aarch64__)

// The registers of the loops that instruction sets share.

typedef float32x4_t vec;
enum { LANES = 4 };

#define load_vec vld1q_f32
#define store_vec vst1q_f32
#define broadcast(value) vdupq_n_f32(value)
#define add vaddq_f32
#define multiply vmulq_f32
#define fused_multiply_add(a, b, c) vfmaq_f32(c, a, b)

#endif

#endif
