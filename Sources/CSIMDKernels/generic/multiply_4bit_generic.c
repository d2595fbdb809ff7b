#pragma STDC FP_CONTRACT OFF

#include "code_4bit.h"
#include "float_convert.h"
#include "multiply_4bit_store.h"
#include <math.h>
#include <string.h>

/// Rounds the bits of a float32 to bfloat16, ties to even; a NaN becomes the quiet one. Without a
/// branch, so that compilers see several lanes at once.
static inline uint32_t bf16_bits(uint32_t bits) {
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : rounded;
}

/// Adds the products of eight elements, from `k` on, of one row of the weight and of activations.
typedef float add_eight_fn(const qk_multiply_4bit_arguments *a, const float *values,
                           const uint8_t *dword, size_t k, size_t row, float sum);

static inline float add_eight_float32(const qk_multiply_4bit_arguments *a, const float *values,
                                      const uint8_t *dword, size_t k, size_t row, float sum) {
    const float *x = a->x;
    for (size_t i = 0; i < 8; i++) {
        size_t e = i ^ 1;
        sum = fmaf(values[qk_code_at(dword, e)], x[(k + e) * a->rows + row], sum);
    }
    return sum;
}

static inline float add_eight_bfloat16(const qk_multiply_4bit_arguments *a, const float *values,
                                       const uint8_t *dword, size_t k, size_t row, float sum) {
    for (size_t pair = 0; pair < 4; pair++) {
        size_t place = 2 * ((k / 2 + pair) * a->rows + row);
        sum += values[qk_code_at(dword, pair)] * qk_load(a->x, QK_BFLOAT16, place);
        sum += values[qk_code_at(dword, pair + 4)] * qk_load(a->x, QK_BFLOAT16, place + 1);
    }
    return sum;
}

static inline void multiply(const qk_multiply_4bit_arguments *a, const float *values,
                            add_eight_fn *add_eight) {
    const qk_packed_4bit *w = &a->weight;
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
                        sum = add_eight(a, values, codes + k * 8 + lane * 4, k, row, sum);
                    totals[lane] = fmaf(sum, scales[g * QK_PANEL_ROWS + lane], totals[lane]);
                }
            }
            qk_store_totals(a, panel, row, totals);
        }
    }
}

void qk_multiply_4bit_float32_generic(const qk_multiply_4bit_arguments *a) {
    multiply(a, a->weight.values, add_eight_float32);
}

void qk_multiply_4bit_bfloat16_generic(const qk_multiply_4bit_arguments *a) {
    float values[16];
    for (size_t code = 0; code < 16; code++)
        values[code] = qk_float_of(bf16_bits(qk_bits_of(a->weight.values[code])) << 16);
    multiply(a, values, add_eight_bfloat16);
}

// MARK: Packing

void qk_pack_4bit(const uint8_t *codes, const float *scales, size_t n, size_t k, size_t block,
                  size_t group, size_t first, size_t end, uint8_t *packed_codes,
                  float *packed_scales) {
    size_t groups = k / group;
    for (size_t panel = first; panel < end; panel++) {
        uint8_t *panel_codes = packed_codes + panel * k * 8;
        float *panel_scales = packed_scales + panel * groups * QK_PANEL_ROWS;
        for (size_t lane = 0; lane < QK_PANEL_ROWS; lane++) {
            size_t row = panel * QK_PANEL_ROWS + lane;
            if (row < n) {
                const uint8_t *own = codes + row * k / 2;
                for (size_t dword = 0; dword < k / 8; dword++)
                    memcpy(panel_codes + (dword * QK_PANEL_ROWS + lane) * 4, own + dword * 4, 4);
                for (size_t g = 0; g < groups; g++)
                    panel_scales[g * QK_PANEL_ROWS + lane] = scales[(row * k + g * group) / block];
            } else {
                for (size_t dword = 0; dword < k / 8; dword++)
                    memset(panel_codes + (dword * QK_PANEL_ROWS + lane) * 4, 0, 4);
                for (size_t g = 0; g < groups; g++)
                    panel_scales[g * QK_PANEL_ROWS + lane] = 0;
            }
        }
    }
}

void qk_unpack_4bit(const uint8_t *packed_codes, size_t n, size_t k, size_t first, size_t end,
                    uint8_t *codes) {
    for (size_t row = first * QK_PANEL_ROWS; row < end * QK_PANEL_ROWS && row < n; row++) {
        const uint8_t *panel = packed_codes + row / QK_PANEL_ROWS * k * 8;
        for (size_t dword = 0; dword < k / 8; dword++)
            memcpy(codes + row * k / 2 + dword * 4,
                   panel + (dword * QK_PANEL_ROWS + row % QK_PANEL_ROWS) * 4, 4);
    }
}

void qk_pack_rows(const float *x, size_t stride, size_t rows, size_t k, qk_float_type mode,
                  void *packed) {
    for (size_t row = 0; row < rows; row++) {
        const float *own = x + row * stride;
        uint32_t *out = (uint32_t *)packed + row;
        if (mode == QK_FLOAT32) {
            for (size_t e = 0; e < k; e++, out += rows)
                memcpy(out, own + e, sizeof *out);
            continue;
        }
        for (size_t e = 0; e < k; e += 8) {
            uint32_t bits[8], pairs[4];
            memcpy(bits, own + e, sizeof bits);
            for (size_t pair = 0; pair < 4; pair++)
                pairs[pair] = bf16_bits(bits[pair]) | bf16_bits(bits[pair + 4]) << 16;
            for (size_t pair = 0; pair < 4; pair++, out += rows)
                *out = pairs[pair];
        }
    }
}
