#pragma STDC FP_CONTRACT OFF

#include "int8_run.h"
#include <math.h>

/// Code `i` of the eight of a row, in the order in which they lie: 1 3 5 7 0 2 4 6.
static inline int code_at(const uint8_t *eight, size_t i) { return eight[i / 4 * 64 + i % 4] - 128; }

void qk_multiply_8bit_float32_generic(const qk_multiply_arguments *a) {
    static const size_t order[] = {1, 3, 5, 7, 0, 2, 4, 6};
    const qk_packed_weight *w = &a->weight;
    for (size_t panel = a->first_panel; panel < a->end_panel; panel++) {
        for (size_t row = 0; row < a->rows; row++) {
            float totals[QK_PANEL_ROWS];
            for (size_t lane = 0; lane < QK_PANEL_ROWS; lane++) {
                const uint8_t *codes = w->codes + panel * w->k * QK_PANEL_ROWS + lane * 4;
                const float *x = (const float *)a->x + row;
                float total = 0;
                for (size_t first = 0; first < w->k; first += QK_INT8_RUN) {
                    size_t end = w->k - first < QK_INT8_RUN ? w->k : first + QK_INT8_RUN;
                    float sum = 0;
                    for (size_t e = first; e < end; e += 8, codes += 128, x += 8 * a->rows)
                        for (size_t i = 0; i < 8; i++)
                            sum = fmaf((float)code_at(codes, i), x[order[i] * a->rows], sum);
                    total += sum;
                }
                totals[lane] = total * w->scales[panel * QK_PANEL_ROWS + lane] * QK_INT8_UNIT;
            }
            qk_store_totals(a, panel, row, totals);
        }
    }
}

void qk_multiply_8bit_int8_generic(const qk_multiply_arguments *a) {
    const qk_packed_weight *w = &a->weight;
    for (size_t panel = a->first_panel; panel < a->end_panel; panel++) {
        for (size_t row = 0; row < a->rows; row++) {
            const uint8_t *codes = w->codes + panel * w->k * QK_PANEL_ROWS;
            const void *x = a->x;
            float totals[QK_PANEL_ROWS] = {0};
            for (size_t first = 0; first < w->k; first += QK_INT8_RUN) {
                qk_int8_run run = qk_next_int8_run(&x, a->rows, w->k - first);
                for (size_t lane = 0; lane < QK_PANEL_ROWS; lane++) {
                    int32_t sum = 0;
                    for (size_t half = 0; half < run.count / 4; half++)
                        for (size_t i = 0; i < 4; i++)
                            sum += (codes[half * 64 + lane * 4 + i] - 128) *
                                   run.x[(half * a->rows + row) * 4 + i];
                    totals[lane] = fmaf((float)sum, run.steps[row], totals[lane]);
                }
                codes += run.count * QK_PANEL_ROWS;
            }
            for (size_t lane = 0; lane < QK_PANEL_ROWS; lane++)
                totals[lane] = totals[lane] * w->scales[panel * QK_PANEL_ROWS + lane] * QK_INT8_UNIT;
            qk_store_totals(a, panel, row, totals);
        }
    }
}
