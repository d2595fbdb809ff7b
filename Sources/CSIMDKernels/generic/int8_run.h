#ifndef QK_INT8_RUN_H
#define QK_INT8_RUN_H

#include "multiply_store.h"

/// A run of activations as qk_pack_rows_fn lays it out.
typedef struct {
    const int32_t *starts; // [rows], -128 times the sum of each row
    const float *steps;    // [rows]
    const int8_t *x;       // [count / 8][2][rows][4]
    size_t rows;
    size_t count;
} qk_int8_run;

/// Returns the run at `*x` and moves on to the next; `left`: the elements left in the group.
static inline __attribute__((always_inline)) qk_int8_run
qk_next_int8_run(const void **x, size_t rows, size_t left) {
    const char *bytes = *x;
    size_t count = left < QK_INT8_RUN ? left : QK_INT8_RUN;
    *x = bytes + rows * (8 + count);
    return (qk_int8_run){
        (const int32_t *)bytes,
        (const float *)(bytes + 4 * rows),
        (const int8_t *)(bytes + 8 * rows),
        rows,
        count,
    };
}

#endif
