#ifndef QK_MULTIPLY_TRANSPOSED_H
#define QK_MULTIPLY_TRANSPOSED_H

#include "qk_multiply.h"

/// Columns of the weight that are decoded together.
enum { QK_COLUMN_TILE = 64 };
/// So many panels ahead of the one that is decoded, the same part of another is asked for: parts lie apart,
/// and processors do not foresee them.
enum { QK_PANELS_AHEAD = 4 };
/// The most rows of gradients that pass over the decoded weight together.
enum { QK_GRADIENT_ROWS = 6 };
/// Bytes of scratch memory for one call, at an address that is a multiple of 64.
enum { QK_TRANSPOSED_SCRATCH_BYTES = 512 * QK_COLUMN_TILE * 4 };

/// A part of the gradient dx = dy W (+ dx) of a product y = x W'.
///
/// dy: tiles of `tile_rows` rows, 1 ... QK_GRADIENT_ROWS, of n numbers, the last tile with the rows
/// that are left; each packed by a qk_pack_rows_fn as the variant's entry says, `tile_stride` bytes from
/// one to the next. dx: row i at dx + i * dx_stride, k numbers, of which the columns from
/// `first_column`, a multiple of 64, up to 64 further are written.
typedef struct {
    qk_packed_weight weight;
    size_t first_column;
    const void *dy;
    size_t tile_rows;
    size_t tile_stride;
    size_t rows;
    float *dx;
    size_t dx_stride;
    int accumulates;
    void *scratch;
} qk_multiply_transposed_arguments;

/// For each row i and column e of the tile, over the rows j of the weight, from 0 or from what dx
/// holds, with w = fl(values[code(j, e)] * scale(j, e)), of 8-bit codes
/// fl(fl(code(j, e) * scale(j)) * QK_INT8_UNIT):
///
///     t = fma(dy[i][j], w, t);  dx[i][e] = t
///
/// float32: j ascends; all variants give the same bits.
/// bfloat16: dy and w are rounded to bfloat16 first, products are exact, sums are in float32: j ascends,
/// or rows are in pairs as QK_ROWS_BFLOAT16 has elements; variants agree within the bound of a sum of
/// n terms.
typedef void qk_multiply_transposed_fn(const qk_multiply_transposed_arguments *arguments);

typedef struct {
    qk_variant variant;
    qk_row_packing packing;
    qk_multiply_transposed_fn *function;
} qk_multiply_transposed_entry;

/// Return the variants of each mode compiled for this architecture, the fastest first, generic last.
const qk_multiply_transposed_entry *qk_multiply_4bit_transposed_float32_entries(size_t *count);
const qk_multiply_transposed_entry *qk_multiply_4bit_transposed_bfloat16_entries(size_t *count);
const qk_multiply_transposed_entry *qk_multiply_8bit_transposed_float32_entries(size_t *count);
const qk_multiply_transposed_entry *qk_multiply_8bit_transposed_bfloat16_entries(size_t *count);

#endif
