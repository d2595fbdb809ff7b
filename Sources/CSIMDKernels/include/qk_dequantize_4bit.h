#ifndef QK_DEQUANTIZE_4BIT_H
#define QK_DEQUANTIZE_4BIT_H

#include "qk_types.h"
#include <stddef.h>

/// out[i] = round_type(fl(values[code(i)] * absmax[i / block_size])) for 0 <= i < count.
/// code(2j) is the high nibble of byte j, code(2j + 1) the low one. A NaN comes out as the positive
/// quiet one without payload.
///
/// codes: (count + 1) / 2 bytes. absmax: ceil(count / block_size) values. values: 16.
/// out: count elements of `type`. block_size: even, > 0. Any alignment of codes and out; out
/// overlaps nothing. streaming: not 0 asks for stores that go past the caches, for outputs much
/// larger than them that nobody reads soon; the bits are the same.
typedef void qk_dequantize_4bit_fn(const void *codes, const float *absmax, size_t count,
                                   size_t block_size, const float *values, void *out,
                                   qk_float_type type, int streaming);

typedef struct {
    qk_variant variant;
    qk_dequantize_4bit_fn *function;
} qk_dequantize_4bit_entry;

/// Returns the variants compiled for this architecture, best first, generic last.
const qk_dequantize_4bit_entry *qk_dequantize_4bit_entries(size_t *count);

#endif
