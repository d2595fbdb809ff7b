#pragma STDC FP_CONTRACT OFF

#include "qk_outliers.h"

#include "int8_run.h"
#include <math.h>
#include <string.h>

int qk_may_have_outliers(const void *packed, size_t rows, size_t k, size_t group, float threshold) {
    // Rounded as steps are, so that no largest magnitude above the threshold has a smaller step.
    float least = threshold / 127;
    for (size_t first = 0; first < k; first += group) {
        for (size_t e = 0; e < group; e += QK_INT8_RUN) {
            qk_int8_run run = qk_next_int8_run(&packed, rows, group - e);
            for (size_t row = 0; row < rows; row++)
                if (!(run.steps[row] < least))
                    return 1;
        }
    }
    return 0;
}

size_t qk_split_outliers(const float *x, size_t stride, size_t rows, size_t k, float threshold,
                         float *kept, uint32_t *columns) {
    for (size_t row = 0; row < rows; row++)
        memcpy(kept + row * k, x + row * stride, k * sizeof *kept);
    size_t count = 0;
    for (size_t column = 0; column < k; column++) {
        int is_outlier = 0;
        for (size_t row = 0; row < rows; row++) {
            float *element = kept + row * k + column;
            if (fabsf(*element) >= threshold) {
                *element = 0;
                is_outlier = 1;
            }
        }
        if (is_outlier)
            columns[count++] = (uint32_t)column;
    }
    return count;
}

void qk_add_outliers_8bit(const qk_multiply_arguments *a, const qk_outliers *outliers) {
    const qk_packed_weight *w = &a->weight;
    for (size_t panel = a->first_panel; panel < a->end_panel; panel++) {
        const float *scales = w->scales + panel * QK_PANEL_ROWS;
        size_t first = panel * QK_PANEL_ROWS;
        size_t lanes = w->n - first < QK_PANEL_ROWS ? w->n - first : QK_PANEL_ROWS;
        for (size_t i = 0; i < outliers->count; i++) {
            size_t column = outliers->columns[i];
            // The odd columns of an eight, then the even ones.
            size_t place = column / 8 * 128 + (column % 2 ? 0 : 64) + column % 8 / 2;
            const uint8_t *codes = w->codes + panel * w->k * QK_PANEL_ROWS + place;
            float values[QK_PANEL_ROWS];
            for (size_t lane = 0; lane < QK_PANEL_ROWS; lane++)
                values[lane] = (float)(codes[lane * 4] - 128) * scales[lane] * QK_INT8_UNIT;
            for (size_t row = 0; row < a->rows; row++) {
                float x = outliers->x[row * outliers->stride + column];
                if (!(fabsf(x) >= outliers->threshold))
                    continue;
                float *y = a->y + row * a->y_stride + first;
                for (size_t lane = 0; lane < lanes; lane++)
                    y[lane] += x * values[lane];
            }
        }
    }
}
