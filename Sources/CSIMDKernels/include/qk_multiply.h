#ifndef QK_MULTIPLY_H
#define QK_MULTIPLY_H

#include "qk_pack_rows.h"

/// Rows of a weight that lie interleaved: one lane each of the widest vector.
enum { QK_PANEL_ROWS = 16 };
/// The most rows of activations that one pass over the weight serves, where they have sums in registers,
/// and where they pass over decoded parts of the weight.
enum { QK_TILE_ROWS = 14, QK_DECODED_TILE_ROWS = 48 };

/// A quantized weight [n, k] as products read it: panels of 16 rows, interleaved by dwords.
///
/// codes of 4 bits: [ceil(n / 16)][k / 8][16 rows][4 bytes]; each dword is the row's own 4 canonical
/// bytes, 8 codes. Codes of 8 bits, which are integers: [ceil(n / 16)][k / 8][2][16 rows][4 bytes],
/// each plus 128, the columns 1 3 5 7 and 0 2 4 6 of each eight. scales: [ceil(n / 16)][k / group]
/// [16 rows]. Rows beyond n have scale 0. `group` is a multiple of 8 that divides k; of 8-bit codes it
/// is k. values: what 4-bit codes stand for. int8_values, int8_step: the same as value ~ int8_value *
/// int8_step, -127 ... 127; only the int8 mode reads them. 8-bit codes have none of the three.
typedef struct {
    const uint8_t *codes;
    const float *scales;
    const float *values;
    const int8_t *int8_values;
    float int8_step;
    size_t n;
    size_t k;
    size_t group;
} qk_packed_weight;

/// A part of a product y = x W' (+ bias) (+ y).
///
/// x: `rows` rows of activations, packed as the variant's entry says. y: row i of the output at
/// y + i * y_stride, its column j for row j of the weight. bias: n numbers, or NULL. accumulates:
/// not 0 adds to what y holds.
typedef struct {
    qk_packed_weight weight;
    size_t first_panel; // of the weight
    size_t end_panel;
    const void *x;
    size_t rows; // 1 ... tile_rows of the variant's entry
    float *y;
    size_t y_stride;
    const float *bias;
    int accumulates;
} qk_multiply_arguments;

/// For each row i of x and row j of the weight in the panels asked for, with w = values[code]:
///
///     group sum  s(g) = sum over the group's elements, in a fixed order, of x[i][e] * w[j][e]
///     total      t    = sum over the groups, ascending, of fma(scale[j][g], s(g), t)
///     y[i][j]         = t, plus bias[j], plus the old y[i][j]
///
/// float32: every product and sum is one fused multiply-add; the order within eight elements is
/// 1 0 3 2 5 4 7 6; all variants give the same bits.
/// bfloat16: x and w are rounded to bfloat16 first, products are exact, sums are in float32: in the
/// order of float32, or in pairs (0,4) (1,5) (2,6) (3,7) as a processor's dot product makes them;
/// variants agree within the bound of a sum of k terms.
/// int8: s(g) = sum over the runs r of at most QK_INT8_RUN elements of the group, ascending, of
/// fl(float(sum of xq[e] * int8_values[code]) * step(r)), where qk_pack_rows_fn gives xq and step; the
/// inner sums are exact integers. The total is multiplied by int8_step before the bias. All variants
/// give the same bits.
///
/// 8-bit codes: w = code, and y[i][j] = fl(fl(t * scale[j]) * QK_INT8_UNIT) before the bias, where t is, over the runs of
/// QK_INT8_RUN elements, ascending, in float32 and bfloat16 the sum t + s(r) with the order
/// 1 3 5 7 0 2 4 6 within eight elements; in int8 fma(float(sum of xq[e] * w), step(r), t). All variants
/// of a mode give the same bits.
typedef void qk_multiply_fn(const qk_multiply_arguments *arguments);

typedef struct {
    qk_variant variant;
    qk_row_packing packing;
    size_t tile_rows;
    qk_multiply_fn *function;
} qk_multiply_entry;

/// Return the variants of each mode compiled for this architecture, the fastest first, generic last.
const qk_multiply_entry *qk_multiply_4bit_float32_entries(size_t *count);
const qk_multiply_entry *qk_multiply_4bit_bfloat16_entries(size_t *count);
const qk_multiply_entry *qk_multiply_4bit_int8_entries(size_t *count);
const qk_multiply_entry *qk_multiply_8bit_float32_entries(size_t *count);
const qk_multiply_entry *qk_multiply_8bit_bfloat16_entries(size_t *count);
const qk_multiply_entry *qk_multiply_8bit_int8_entries(size_t *count);

/// Interleaves canonical codes [n, k], flattened, and scales of blocks of `block` flattened elements,
/// for the panels from `first` up to `end`. k is a multiple of 8; `group` divides k and `block`.
/// The destination is laid out as qk_packed_weight says.
void qk_pack_4bit(const uint8_t *codes, const float *scales, size_t n, size_t k, size_t block,
                  size_t group, size_t first, size_t end, uint8_t *packed_codes,
                  float *packed_scales);

/// The same for 8-bit codes, two's complement, with a scale for each row: `block` and `group` are k.
void qk_pack_8bit(const uint8_t *codes, const float *scales, size_t n, size_t k, size_t block,
                  size_t group, size_t first, size_t end, uint8_t *packed_codes,
                  float *packed_scales);

/// The reverse of qk_pack_4bit for the codes: canonical bytes of the rows of some panels.
void qk_unpack_4bit(const uint8_t *packed_codes, size_t n, size_t k, size_t first, size_t end,
                    uint8_t *codes);
/// The same for qk_pack_8bit.
void qk_unpack_8bit(const uint8_t *packed_codes, size_t n, size_t k, size_t first, size_t end,
                    uint8_t *codes);

#endif
