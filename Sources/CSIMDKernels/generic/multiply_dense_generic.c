#define LANES 4
#define TARGET
#include "vector_lanes.h"

#include "float_convert.h"

/// Four elements as float32.
static inline vec widened(const char *from, qk_float_type type) {
    if (type == QK_FLOAT32)
        return load_lanes((const float *)from);
    vec value;
    for (int i = 0; i < LANES; i++)
        value[i] = qk_load(from, type, i);
    return value;
}

#define ROWS 2
#define OUTPUTS 4
#define LOAD_WEIGHTS widened
#include "multiply_dense_loop.h"

void qk_multiply_dense_generic(const qk_multiply_dense_arguments *a) { multiply_dense(a); }

void qk_multiply_dense_transposed_generic(const qk_multiply_dense_arguments *a) {
    multiply_dense_transposed(a);
}
