#ifndef QK_MULTIPLY_STORE_H
#define QK_MULTIPLY_STORE_H

#include "qk_multiply.h"
#include <string.h>

/// Stores the totals of one row of activations and one panel.
static inline void qk_store_totals(const qk_multiply_arguments *a, size_t panel, size_t row,
                                   const float *totals) {
    size_t first = panel * QK_PANEL_ROWS;
    size_t count = a->weight.n - first < QK_PANEL_ROWS ? a->weight.n - first : QK_PANEL_ROWS;
    float *y = a->y + row * a->y_stride + first;
    float results[QK_PANEL_ROWS];
    memcpy(results, totals, sizeof results);
    // A loop for each, not a condition in one: compilers would make masked loads of a null pointer
    // of it, which processors allow and emulators do not.
    if (a->bias)
        for (size_t lane = 0; lane < count; lane++)
            results[lane] += a->bias[first + lane];
    if (a->accumulates)
        for (size_t lane = 0; lane < count; lane++)
            results[lane] += y[lane];
    memcpy(y, results, count * sizeof *y);
}

#endif
