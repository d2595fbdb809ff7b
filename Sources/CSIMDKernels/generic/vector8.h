#ifndef QK_VECTOR8_H
#define QK_VECTOR8_H

#include <stdint.h>

// Vectors of eight elements in the compiler's own notation, which it splits where registers are
// shorter. Functions take them by address, as their place in registers depends on the target.

typedef float qk_f32x8 __attribute__((vector_size(32)));
typedef int32_t qk_i32x8 __attribute__((vector_size(32)));
typedef uint32_t qk_u32x8 __attribute__((vector_size(32)));
typedef uint16_t qk_u16x8 __attribute__((vector_size(16)));
typedef double qk_f64x8 __attribute__((vector_size(64)));
typedef int64_t qk_i64x8 __attribute__((vector_size(64)));

#endif
