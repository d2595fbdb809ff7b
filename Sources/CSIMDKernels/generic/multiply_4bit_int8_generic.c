#pragma STDC FP_CONTRACT OFF

#include "multiply_4bit_int8.h"
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

void qk_multiply_4bit_int8_generic(const qk_multiply_4bit_arguments *a) {
    const qk_packed_4bit *w = &a->weight;
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

// MARK: Packing

// Adding and taking away 1.5 * 2^23 rounds to an integer, ties to even, in every instruction set; the
// low bits of the sum are that integer.
static const float ROUNDER = 12582912.0f;

/// Quantizes `count` floats, at most QK_INT8_RUN; returns the step and -128 times the sum.
static inline float quantize_run(const float *x, size_t count, int8_t *codes, int32_t *start) {
    uint32_t largest = 0;
    for (size_t e = 0; e < count; e++) {
        uint32_t bits;
        memcpy(&bits, x + e, 4);
        bits &= 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    float magnitude;
    memcpy(&magnitude, &largest, 4);
    float step = magnitude / 127;
    *start = 0;
    if (largest >= 0x7f800000 || step == 0) {
        memset(codes, 0, count);
        return step == 0 ? 0 : NAN;
    }
    int32_t sum = 0;
    for (size_t e = 0; e < count; e++) {
        float scaled = x[e] / step;
        // More than 127 only where the step is subnormal.
        scaled = scaled > 127 ? 127 : scaled < -127 ? -127 : scaled;
        float rounded = scaled + ROUNDER;
        int32_t bits;
        memcpy(&bits, &rounded, 4);
        codes[e] = (int8_t)bits;
        sum += codes[e];
    }
    *start = -128 * sum;
    return step;
}

void qk_pack_rows_int8(const float *x, size_t stride, size_t rows, size_t k, size_t group,
                       void *packed) {
    char *out = packed;
    for (size_t first = 0; first < k; first += group) {
        for (size_t e = 0; e < group; e += QK_INT8_RUN) {
            size_t count = group - e < QK_INT8_RUN ? group - e : QK_INT8_RUN;
            for (size_t row = 0; row < rows; row++) {
                int8_t codes[QK_INT8_RUN];
                int32_t start;
                float step = quantize_run(x + row * stride + first + e, count, codes, &start);
                memcpy(out + 4 * row, &start, 4);
                memcpy(out + 4 * (rows + row), &step, 4);
                char *dwords = out + 8 * rows + 4 * row;
                for (size_t eight = 0; eight < count; eight += 8) {
                    int8_t halves[8];
                    for (size_t i = 0; i < 4; i++) {
                        halves[i] = codes[eight + 2 * i + 1];
                        halves[4 + i] = codes[eight + 2 * i];
                    }
                    memcpy(dwords, halves, 4);
                    memcpy(dwords + 4 * rows, halves + 4, 4);
                    dwords += 8 * rows;
                }
            }
            out += rows * (8 + count);
        }
    }
}
