#ifndef QK_BLOCK_SCALING_H
#define QK_BLOCK_SCALING_H

#include "absmax_bits.h"

/// How the elements of a block are scaled.
enum { QK_SCALE_NONE, QK_SCALE_MULTIPLY, QK_SCALE_DIVIDE };

/// Returns how a block with scale `a` is scaled, and its reciprocal.
static inline int qk_block_scaling(float a, float *reciprocal) {
    uint32_t magnitude = qk_bits_of(a) & 0x7fffffff;
    if (magnitude == 0 || magnitude >= 0x7f800000)
        return QK_SCALE_NONE;
    *reciprocal = 1.0f / a;
    magnitude = qk_bits_of(*reciprocal) & 0x7fffffff;
    return magnitude >= 0x00800000 && magnitude < 0x7f800000 ? QK_SCALE_MULTIPLY : QK_SCALE_DIVIDE;
}

#endif
