#ifndef QK_DEQUANTIZE_8BIT_H
#define QK_DEQUANTIZE_8BIT_H

#include "qk_types.h"
#include <stddef.h>

/// out[i] = round_type(fl(values[codes[i]] * absmax[i / block_size])) for 0 <= i < count. A NaN comes
/// out as the positive quiet one without payload.
///
/// codes: count bytes. absmax: ceil(count / block_size) values. values: 256. out: count elements of
/// `type`. block_size: > 0. Any alignment of codes and out; out overlaps nothing. streaming: not 0
/// asks for stores that go past the caches, for outputs much larger than them that nobody reads
/// soon; the bits are the same.
typedef void qk_dequantize_8bit_fn(const void *codes, const float *absmax, size_t count,
                                   size_t block_size, const float *values, void *out,
                                   qk_float_type type, int streaming);

typedef struct {
    qk_variant variant;
    qk_dequantize_8bit_fn *function;
} qk_dequantize_8bit_entry;

/// Returns the variants compiled for this architecture, best first, generic last.
const qk_dequantize_8bit_entry *qk_dequantize_8bit_entries(size_t *count);

#endif
