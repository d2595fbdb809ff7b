#ifndef QK_QUANTIZE_8BIT_H
#define QK_QUANTIZE_8BIT_H

#include "qk_codebook_8bit.h"
#include "qk_types.h"

/// For each run of block_size elements (the last may be short):
///   a = max |x|
///   codes[i] = code(v), where v = fl(x[i] * fl(1 / a)), or fl(x[i] / a) if fl(1 / a) is subnormal or
///   not finite.
/// All codes of a block with a zero, infinite or NaN `a` are 0: the first entry of the map, whatever
/// its value. The maximum is that of the elements' bits without the sign, so an infinity shows in
/// it, and a NaN as the positive quiet one without payload.
///
/// input: count elements of `type`. codes: count bytes. absmax: ceil(count / block_size) values,
/// receives every `a`. block_size: > 0. Any alignment of input and codes; outputs overlap nothing.
typedef void qk_quantize_8bit_fn(const void *input, qk_float_type type, size_t count,
                                 size_t block_size, const qk_codebook_8bit *codebook, void *codes,
                                 float *absmax);

typedef struct {
    qk_variant variant;
    qk_quantize_8bit_fn *function;
} qk_quantize_8bit_entry;

/// Returns the variants compiled for this architecture, best first, generic last.
const qk_quantize_8bit_entry *qk_quantize_8bit_entries(size_t *count);

#endif
