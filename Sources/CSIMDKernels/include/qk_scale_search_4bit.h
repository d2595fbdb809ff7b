#ifndef QK_SCALE_SEARCH_4BIT_H
#define QK_SCALE_SEARCH_4BIT_H

#include "qk_quantize_4bit.h"

/// For each run of block_size elements (the last may be short) finds a scale a that makes
/// E(a) = sum (x - fl(value * a))^2 small, where value is what qk_quantize_4bit codes x to with the
/// scale a. Starts from max |x|, the scale without search, and never takes one with a larger E.
/// It tries fl(s max|x|) for the s of a fixed grid, then of ever finer ones around the best, the
/// first of equals winning; scale_search_4bit_loop.h has the grids and the order.
///
/// E is added up in float32, in sixteen partial sums, the one of number i % 16 taking element i of
/// the block; partial sum l is joined with l + 8, then with l + 4, l + 2 and l + 1. The elements are
/// first scaled by the power of two that brings max |x| to [1, 2). Blocks with a maximum below 2^-100,
/// above 2^100 or not finite keep it.
///
/// input: count elements of `type`, any alignment. block_size: even, > 0. scales: receives
/// ceil(count / block_size) values. scales overlaps nothing.
typedef void qk_scale_search_4bit_fn(const void *input, qk_float_type type, size_t count,
                                     size_t block_size, const qk_codebook_4bit *codebook,
                                     float *scales);

typedef struct {
    qk_variant variant;
    qk_scale_search_4bit_fn *function;
} qk_scale_search_4bit_entry;

/// Returns the variants compiled for this architecture, best first, generic last.
const qk_scale_search_4bit_entry *qk_scale_search_4bit_entries(size_t *count);

#endif
