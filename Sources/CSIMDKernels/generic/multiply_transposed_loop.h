#ifndef QK_MULTIPLY_TRANSPOSED_LOOP_H
#define QK_MULTIPLY_TRANSPOSED_LOOP_H

#include "bfloat16_bits.h"
#include "qk_multiply_transposed.h"
#include <string.h>

// The loops of every variant with float32 products; each compiles them for its instructions and brings
// its own decoder. A vector of 16 lanes becomes as many registers as the instruction set needs.

typedef float lanes16 __attribute__((vector_size(64)));

enum {
    LANES = 16,
    VECTORS = QK_COLUMN_TILE / LANES,
    PANELS_AT_ONCE = QK_TRANSPOSED_SCRATCH_BYTES / (QK_COLUMN_TILE * 4 * QK_PANEL_ROWS),
};

/// Asks for what the next tile of gradients has where this one is read: tiles lie apart, and processors would
/// begin each anew.
#define PREFETCH_NEXT_TILE(a, dy) __builtin_prefetch((const char *)(dy) + (a)->tile_stride, 0, 2)

/// Rounds the elements of a decoded panel to bfloat16.
static inline __attribute__((always_inline)) void round_panel(float *elements) {
    for (size_t i = 0; i < QK_PANEL_ROWS * QK_COLUMN_TILE; i++)
        elements[i] = qk_rounded_to_bf16(elements[i]);
}

// The sums are copied to other memory before they are written: a compiler keeps in registers only
// what nothing points to.

/// Defines the variants NAME of FORMAT in float32 and bfloat16: ATTRIBUTES choose the instructions;
/// DECODE(w, first_column, panel, out) writes the elements [16 rows][64] of the tile's part of a panel,
/// anything for columns beyond the weight's last; AT_ONCE of the tile's four vectors have sums in
/// registers.
#define QK_DEFINE_TRANSPOSED(FORMAT, NAME, ATTRIBUTES, DECODE, AT_ONCE)                            \
    ATTRIBUTES static inline __attribute__((always_inline)) void NAME##_rows(                      \
        const qk_multiply_transposed_arguments *a, size_t tile, int rows, size_t vector,           \
        size_t first, size_t end) {                                                                \
        size_t column = a->first_column + vector * LANES;                                          \
        if (column >= a->weight.k)                                                                 \
            return;                                                                                \
        size_t left = a->weight.k - column;                                                        \
        size_t width = left < AT_ONCE * LANES ? left : AT_ONCE * LANES;                            \
        float *dx = a->dx + tile * a->tile_rows * a->dx_stride + column;                           \
        lanes16 sums[QK_GRADIENT_ROWS][AT_ONCE];                                                   \
        int begins = first == 0 && !a->accumulates;                                                \
        for (int r = 0; r < rows; r++) {                                                           \
            lanes16 old[AT_ONCE] = {0};                                                            \
            if (!begins)                                                                           \
                memcpy(old, dx + (size_t)r * a->dx_stride, width * 4);                             \
            for (int v = 0; v < AT_ONCE; v++)                                                      \
                sums[r][v] = old[v];                                                               \
        }                                                                                          \
        const float *dy = (const float *)((const char *)a->dy + tile * a->tile_stride) +           \
                          first * (size_t)rows;                                                    \
        const lanes16 *weights = (const lanes16 *)a->scratch + vector;                             \
        for (size_t n = first; n < end; n++, weights += VECTORS, dy += rows) {                     \
            PREFETCH_NEXT_TILE(a, dy);                                                             \
            _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++) {                    \
                float factor = dy[r];                                                              \
                lanes16 factors = {factor, factor, factor, factor, factor, factor, factor, factor, \
                                   factor, factor, factor, factor, factor, factor, factor, factor};\
                _Pragma("clang loop unroll(full)") for (int v = 0; v < AT_ONCE; v++) sums[r][v] =  \
                    __builtin_elementwise_fma(factors, weights[v], sums[r][v]);                    \
            }                                                                                      \
        }                                                                                          \
        for (int r = 0; r < rows; r++) {                                                           \
            lanes16 total[AT_ONCE];                                                                \
            for (int v = 0; v < AT_ONCE; v++)                                                      \
                total[v] = sums[r][v];                                                             \
            memcpy(dx + (size_t)r * a->dx_stride, total, width * 4);                               \
        }                                                                                          \
    }                                                                                              \
    ATTRIBUTES static inline __attribute__((always_inline)) void NAME##_multiply(                  \
        const qk_multiply_transposed_arguments *a, int rounds) {                                   \
        const qk_packed_weight *w = &a->weight;                                                    \
        const size_t chunk = PANELS_AT_ONCE * QK_PANEL_ROWS;                                       \
        for (size_t first = 0; first < w->n; first += chunk) {                                     \
            size_t end = w->n - first < chunk ? w->n : first + chunk;                              \
            float *elements = a->scratch;                                                          \
            for (size_t n = first; n < end; n += QK_PANEL_ROWS) {                                  \
                DECODE(w, a->first_column, n / QK_PANEL_ROWS, elements);                           \
                if (rounds)                                                                        \
                    round_panel(elements);                                                         \
                elements += QK_PANEL_ROWS * QK_COLUMN_TILE;                                        \
            }                                                                                      \
            for (size_t tile = 0; tile * a->tile_rows < a->rows; tile++) {                         \
                size_t left = a->rows - tile * a->tile_rows;                                       \
                for (size_t vector = 0; vector < VECTORS; vector += AT_ONCE) {                     \
                    switch (left < a->tile_rows ? left : a->tile_rows) {                           \
                    case 6: NAME##_rows(a, tile, 6, vector, first, end); break;                    \
                    case 5: NAME##_rows(a, tile, 5, vector, first, end); break;                    \
                    case 4: NAME##_rows(a, tile, 4, vector, first, end); break;                    \
                    case 3: NAME##_rows(a, tile, 3, vector, first, end); break;                    \
                    case 2: NAME##_rows(a, tile, 2, vector, first, end); break;                    \
                    default: NAME##_rows(a, tile, 1, vector, first, end); break;                   \
                    }                                                                              \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    ATTRIBUTES void qk_multiply_##FORMAT##_transposed_float32_##NAME(                              \
        const qk_multiply_transposed_arguments *a) {                                               \
        NAME##_multiply(a, 0);                                                                     \
    }                                                                                              \
    ATTRIBUTES void qk_multiply_##FORMAT##_transposed_bfloat16_##NAME(                             \
        const qk_multiply_transposed_arguments *a) {                                               \
        NAME##_multiply(a, 1);                                                                     \
    }

#endif
