#pragma STDC FP_CONTRACT OFF

#include "code_4bit.h"
#include "multiply_4bit_rounded.h"
#include "multiply_store.h"
#include <math.h>

/// Adds the products of eight elements, from `k` on, of one row of the weight and of activations.
static inline float add_eight(const qk_multiply_arguments *a, const uint8_t *dword, size_t k,
                              size_t row, float sum) {
    const float *x = a->x;
    for (size_t i = 0; i < 8; i++) {
        size_t e = i ^ 1;
        sum = fmaf(a->weight.values[qk_code_at(dword, e)], x[(k + e) * a->rows + row], sum);
    }
    return sum;
}

void qk_multiply_4bit_float32_generic(const qk_multiply_arguments *a) {
    const qk_packed_weight *w = &a->weight;
    size_t groups = w->k / w->group;
    for (size_t panel = a->first_panel; panel < a->end_panel; panel++) {
        const uint8_t *codes = w->codes + panel * w->k * 8;
        const float *scales = w->scales + panel * groups * QK_PANEL_ROWS;
        for (size_t row = 0; row < a->rows; row++) {
            float totals[QK_PANEL_ROWS] = {0};
            for (size_t lane = 0; lane < QK_PANEL_ROWS; lane++) {
                for (size_t g = 0; g < groups; g++) {
                    float sum = 0;
                    for (size_t k = g * w->group; k < (g + 1) * w->group; k += 8)
                        sum = add_eight(a, codes + k * 8 + lane * 4, k, row, sum);
                    totals[lane] = fmaf(sum, scales[g * QK_PANEL_ROWS + lane], totals[lane]);
                }
            }
            qk_store_totals(a, panel, row, totals);
        }
    }
}

QK_DEFINE_ROUNDED(qk_multiply_4bit_bfloat16_generic, qk_multiply_4bit_float32_generic)
