#ifndef QK_MULTIPLY_4BIT_STORE_H
#define QK_MULTIPLY_4BIT_STORE_H

#include "qk_multiply_4bit.h"

/// Stores the totals of one row of activations and one panel.
static inline void qk_store_totals(const qk_multiply_4bit_arguments *a, size_t panel, size_t row,
                                   const float *totals) {
    size_t first = panel * QK_PANEL_ROWS;
    size_t count = a->weight.n - first < QK_PANEL_ROWS ? a->weight.n - first : QK_PANEL_ROWS;
    float *y = a->y + row * a->y_stride + first;
    for (size_t lane = 0; lane < count; lane++) {
        float total = totals[lane];
        if (a->bias)
            total += a->bias[first + lane];
        y[lane] = a->accumulates ? y[lane] + total : total;
    }
}

#endif
