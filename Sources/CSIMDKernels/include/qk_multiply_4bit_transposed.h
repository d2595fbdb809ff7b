#ifndef QK_MULTIPLY_4BIT_TRANSPOSED_H
#define QK_MULTIPLY_4BIT_TRANSPOSED_H

#include "qk_multiply_4bit.h"

/// Columns of the weight that are decoded together.
enum { QK_COLUMN_TILE = 64 };
/// Bytes of scratch memory for one call, at an address that is a multiple of 64.
enum { QK_TRANSPOSED_SCRATCH_BYTES = 512 * QK_COLUMN_TILE * 4 };

/// A part of the gradient dx = dy W (+ dx) of a product y = x W'.
///
/// dy: row i at dy + i * dy_stride, n numbers. dx: row i at dx + i * dx_stride, k numbers, of which
/// the columns from `first_column`, a multiple of 64, up to 64 further are written.
typedef struct {
    qk_packed_4bit weight;
    size_t first_column;
    const float *dy;
    size_t dy_stride;
    size_t rows;
    float *dx;
    size_t dx_stride;
    int accumulates;
    void *scratch;
} qk_multiply_4bit_transposed_arguments;

/// For each row i and column e of the tile, over the rows j of the weight, ascending, from 0 or
/// from what dx holds:
///
///     t = fma(dy[i][j], fl(values[code(j, e)] * scale(j, e)), t);  dx[i][e] = t
///
/// All variants give the same bits.
typedef void qk_multiply_4bit_transposed_fn(const qk_multiply_4bit_transposed_arguments *arguments);

typedef struct {
    qk_variant variant;
    qk_multiply_4bit_transposed_fn *function;
} qk_multiply_4bit_transposed_entry;

/// Returns the variants compiled for this architecture, the fastest first, generic last.
const qk_multiply_4bit_transposed_entry *qk_multiply_4bit_transposed_entries(size_t *count);

#endif
