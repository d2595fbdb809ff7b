#ifndef QK_ROW_SUMS_H
#define QK_ROW_SUMS_H

#define UNROLL _Pragma("GCC unroll 8")

/// Runs over the sums of `rows` rows of activations, each in VECTORS registers.
#define FOR_EACH_SUM                                                                               \
    UNROLL for (int row = 0; row < rows; row++) UNROLL for (int v = 0; v < VECTORS; v++)

#endif
