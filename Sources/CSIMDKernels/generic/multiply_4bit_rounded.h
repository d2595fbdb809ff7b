#ifndef QK_MULTIPLY_4BIT_ROUNDED_H
#define QK_MULTIPLY_4BIT_ROUNDED_H

#include "bfloat16_bits.h"
#include "qk_multiply.h"

/// Defines NAME, a variant of the bfloat16 mode for processors without instructions of their own for
/// it: FLOAT32, the variant of the float32 mode, with values that are rounded as activations packed as
/// QK_ROWS_ROUNDED are. A product of two bfloat16 is exact in float32.
#define QK_DEFINE_ROUNDED(NAME, FLOAT32)                                                           \
    extern qk_multiply_fn FLOAT32;                                                            \
    void NAME(const qk_multiply_arguments *a) {                                               \
        float values[16];                                                                          \
        for (size_t code = 0; code < 16; code++)                                                   \
            values[code] = qk_rounded_to_bf16(a->weight.values[code]);                             \
        qk_multiply_arguments rounded = *a;                                                   \
        rounded.weight.values = values;                                                            \
        FLOAT32(&rounded);                                                                         \
    }

#endif
