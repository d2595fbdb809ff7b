#ifndef QK_ROW_SUMS_H
#define QK_ROW_SUMS_H

#define UNROLL _Pragma("GCC unroll 8")

/// Runs over the sums of `rows` rows of activations, each in VECTORS registers.
#define FOR_EACH_SUM                                                                               \
    UNROLL for (int row = 0; row < rows; row++) UNROLL for (int v = 0; v < VECTORS; v++)

/// Calls CALL(first row, rows) for blocks of ROWS of `count` rows and for what is left.
#define FOR_EACH_ROW_BLOCK(count, CALL)                                                            \
    do {                                                                                           \
        size_t row = 0;                                                                            \
        for (; row + ROWS <= (count); row += ROWS)                                                 \
            CALL(row, ROWS);                                                                       \
        if (ROWS > 3 && row + 3 == (count))                                                        \
            CALL(row, 3);                                                                          \
        else if (ROWS > 2 && row + 2 == (count))                                                   \
            CALL(row, 2);                                                                          \
        else if (row + 1 == (count))                                                               \
            CALL(row, 1);                                                                          \
    } while (0)

#endif
