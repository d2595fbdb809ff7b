#ifndef QK_PACK_ROWS_H
#define QK_PACK_ROWS_H

#include "qk_types.h"
#include <stddef.h>

/// How rows of activations lie for a variant; see qk_pack_rows_fn.
typedef uint32_t qk_row_packing;
enum {
    QK_ROWS_FLOAT32 = 0,  // [k][rows]
    QK_ROWS_ROUNDED = 1,  // the same, rounded to bfloat16
    QK_ROWS_BFLOAT16 = 2, // pairs of bfloat16, for dot products of pairs
    QK_ROWS_INT8 = 3,     // runs of multiples of a step
};

/// Elements of a row of activations that share a step in QK_ROWS_INT8, unless their group ends.
enum { QK_INT8_RUN = 64 };
/// Runs with a smaller largest magnitude count as zeros: what they are divided by must be finite.
#define QK_INT8_LEAST 0x1p-119f

/// Returns the bytes that a function of this family writes.
size_t qk_packed_rows_size(size_t rows, size_t k, size_t group, qk_row_packing packing);

/// Packs `rows` rows of k floats, `stride` floats apart.
///
/// FLOAT32 and ROUNDED: [k][rows]. BFLOAT16: dwords [ceil(k / 8)][4][rows], the pairs of elements
/// (0,4) (1,5) (2,6) (3,7) of each eight, the lower element in the lower half, zeros beyond k.
/// Rounding is to nearest, ties to even; NaNs become quiet ones.
/// INT8, where `group` divides k and both are multiples of 8: runs of at most QK_INT8_RUN elements of a
/// group. For a run with the largest magnitude m: step = fl(m / 127), xq = rint(fl(x * fl(127 / m))),
/// at most 127 in magnitude; m below QK_INT8_LEAST gives zeros and a step of 0; m that is not finite
/// gives zeros and a step that is NaN. Run after run: int32 [rows], -128 times the sum of xq; float [rows], the steps; int8
/// [run / 8][2][rows][4], elements 1 3 5 7 and 0 2 4 6 of each eight.
typedef void qk_pack_rows_fn(const float *x, size_t stride, size_t rows, size_t k, size_t group,
                             qk_row_packing packing, void *packed);

typedef struct {
    qk_variant variant;
    qk_pack_rows_fn *function;
} qk_pack_rows_entry;

/// Returns the variants compiled for this architecture, the fastest first, generic last; all give the
/// same bytes.
const qk_pack_rows_entry *qk_pack_rows_entries(size_t *count);

#endif
