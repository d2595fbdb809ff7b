#ifndef QK_OUTLIERS_H
#define QK_OUTLIERS_H

#include "qk_multiply.h"

/// Activations of large magnitude, which the int8 mode multiplies in float32 instead (LLM.int8(), Dettmers
/// 2022, section 3.2). Not whole columns of a batch, but each row's own: a row's results do not depend on
/// the others.
typedef struct {
    const float *x; // as it was before packing, rows `stride` apart
    size_t stride;
    float threshold;         // what outliers are not below
    const uint32_t *columns; // ascending: those with an outlier in one of the rows
    size_t count;
} qk_outliers;

/// Returns whether a tile of QK_ROWS_INT8 may have outliers, from the steps of its runs.
int qk_may_have_outliers(const void *packed, size_t rows, size_t k, size_t group, float threshold);

/// Copies `rows` rows of k floats, `stride` apart, one behind the other to `kept`, with zeros for
/// outliers, whose columns it writes; `columns` has room for k. Returns their number.
size_t qk_split_outliers(const float *x, size_t stride, size_t rows, size_t k, float threshold,
                         float *kept, uint32_t *columns);

/// Adds, column after column, y[i][j] += fl(x[i][c] * fl(fl(code * scale[j]) * QK_INT8_UNIT)) for the
/// outliers of each row and the 8-bit codes of each panel asked for.
void qk_add_outliers_8bit(const qk_multiply_arguments *arguments, const qk_outliers *outliers);

#endif
