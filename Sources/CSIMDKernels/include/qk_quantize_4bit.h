#ifndef QK_QUANTIZE_4BIT_H
#define QK_QUANTIZE_4BIT_H

#include "qk_types.h"
#include <stddef.h>

/// A code table of 16 values and the rule that finds the code of a scaled element v in [-1, 1].
/// With `magnitude_rule` 0: rank(v) = number of the 15 thresholds strictly below v.
/// With `magnitude_rule` 1: rank(v) = number of the first 7 thresholds strictly below |v|, plus 8
/// if v < 0. The code is code_of_rank[rank]. A NaN is above no threshold and not negative.
typedef struct {
    float values[16];         // by code; dequantization reads nothing else
    float thresholds[16];     // ascending, in [-1, 1]; the unused ones at the end are +infinity
    uint8_t code_of_rank[16]; // a permutation of 0 ... 15
    uint32_t magnitude_rule;
} qk_codebook_4bit;

/// For each run of block_size elements (the last may be short):
///   a = scales ? scales[block] : max |x|
///   code(i) = codebook's code of v, where v = fl(x[i] * fl(1 / a)), or fl(x[i] / a) if fl(1 / a)
///   is subnormal or not finite.
/// All codes of a block with a zero, infinite or NaN `a` are the code of 0. Without `scales`, the
/// maximum is that of the elements' bits without the sign, so an infinity shows in it, and a NaN as
/// the positive quiet one without payload.
///
/// codes: (count + 1) / 2 bytes; code(2j) is the high nibble of byte j, code(2j + 1) the low one; a
/// last low nibble without element holds the code of 0. absmax: ceil(count / block_size) values,
/// receives every `a`; may be NULL. scales: NULL or as many values, any sign. block_size: even, > 0.
/// input: count elements of `type`. Any alignment of input and codes; outputs overlap nothing.
typedef void qk_quantize_4bit_fn(const void *input, qk_float_type type, size_t count,
                                 size_t block_size, const qk_codebook_4bit *codebook,
                                 const float *scales, void *codes, float *absmax);

typedef struct {
    qk_variant variant;
    qk_quantize_4bit_fn *function;
} qk_quantize_4bit_entry;

/// Returns the variants compiled for this architecture, best first, generic last.
const qk_quantize_4bit_entry *qk_quantize_4bit_entries(size_t *count);

#endif
