#pragma STDC FP_CONTRACT OFF

#include "int8_run.h"
#include <math.h>

/// The sum of the products of a run of one row of the weight and of activations, an exact integer.
static inline int32_t run_sum(const int8_t *values, const uint8_t *dwords, const qk_int8_run *run,
                              size_t row) {
    int32_t sum = 0;
    for (size_t eight = 0; eight < run->count / 8; eight++) {
        const int8_t *odd = run->x + (2 * eight * run->rows + row) * 4;
        const int8_t *even = odd + run->rows * 4;
        for (size_t byte = 0; byte < 4; byte++) {
            unsigned codes = dwords[eight * 64 + byte];
            sum += values[codes & 15] * odd[byte] + values[codes >> 4] * even[byte];
        }
    }
    return sum;
}

void qk_multiply_4bit_int8_generic(const qk_multiply_arguments *a) {
    const qk_packed_weight *w = &a->weight;
    size_t groups = w->k / w->group;
    for (size_t panel = a->first_panel; panel < a->end_panel; panel++) {
        for (size_t row = 0; row < a->rows; row++) {
            const uint8_t *codes = w->codes + panel * w->k * 8;
            const float *scales = w->scales + panel * groups * QK_PANEL_ROWS;
            const void *x = a->x;
            float totals[QK_PANEL_ROWS] = {0};
            for (size_t g = 0; g < groups; g++, scales += QK_PANEL_ROWS) {
                float sums[QK_PANEL_ROWS] = {0};
                for (size_t e = 0; e < w->group; e += QK_INT8_RUN) {
                    qk_int8_run run = qk_next_int8_run(&x, a->rows, w->group - e);
                    for (size_t lane = 0; lane < QK_PANEL_ROWS; lane++) {
                        int32_t sum = run_sum(w->int8_values, codes + lane * 4, &run, row);
                        sums[lane] += (float)sum * run.steps[row];
                    }
                    codes += run.count * 8;
                }
                for (size_t lane = 0; lane < QK_PANEL_ROWS; lane++)
                    totals[lane] = fmaf(sums[lane], scales[lane], totals[lane]);
            }
            for (size_t lane = 0; lane < QK_PANEL_ROWS; lane++)
                totals[lane] *= w->int8_step;
            qk_store_totals(a, panel, row, totals);
        }
    }
}
