#ifndef QK_MULTIPLY_4BIT_TRANSPOSED_LOOP_H
#define QK_MULTIPLY_4BIT_TRANSPOSED_LOOP_H

#include "qk_multiply_4bit_transposed.h"
#include <string.h>

// The loops of every variant; each compiles them for its instructions and brings its own decoder.
// A vector of 16 lanes becomes as many registers as the instruction set needs.

typedef float lanes16 __attribute__((vector_size(64)));

enum {
    LANES = 16,
    VECTORS = QK_COLUMN_TILE / LANES,
    // Rows of dy that pass over the decoded weight together: 6 x 4 sums in registers of AVX-512.
    ROWS_AT_ONCE = 6,
    CHUNK = QK_TRANSPOSED_SCRATCH_BYTES / (QK_COLUMN_TILE * 4),
};

/// Where the codes and scales of one row of the weight are, from the tile's first column on: the
/// dwords of 8 codes are 64 bytes apart.
typedef struct {
    const uint8_t *dwords;
    const float *scales;
    size_t first_column;
    size_t width; // columns of the tile that the weight has, a multiple of 8
} row_part;

static inline row_part part_of_row(const qk_packed_4bit *w, size_t first_column, size_t row) {
    size_t panel = row / QK_PANEL_ROWS, lane = row % QK_PANEL_ROWS;
    size_t left = w->k - first_column;
    return (row_part){
        w->codes + (panel * (w->k / 8) + first_column / 8) * 64 + lane * 4,
        w->scales + panel * (w->k / w->group) * QK_PANEL_ROWS + lane,
        first_column,
        left < QK_COLUMN_TILE ? left : QK_COLUMN_TILE,
    };
}

/// The scale of the eight elements that begin `column` columns into the tile.
static inline float scale_at(const qk_packed_4bit *w, const row_part *part, size_t column) {
    return part->scales[(part->first_column + column) / w->group * QK_PANEL_ROWS];
}

// The sums are copied to other memory before they are written: a compiler keeps in registers only
// what nothing points to.

/// Defines NAME, the variant: ATTRIBUTES choose the instructions; DECODE(w, part, out) writes the
/// tile's 64 elements of a row of the weight, those beyond the weight's width as they come.
#define QK_DEFINE_TRANSPOSED(NAME, ATTRIBUTES, DECODE)                                             \
    ATTRIBUTES static inline __attribute__((always_inline)) void NAME##_rows(                      \
        const qk_multiply_4bit_transposed_arguments *a, size_t row, int rows, size_t first,        \
        size_t end, const lanes16 *weights) {                                                      \
        lanes16 sums[ROWS_AT_ONCE][VECTORS];                                                       \
        size_t left = a->weight.k - a->first_column;                                               \
        size_t width = left < QK_COLUMN_TILE ? left : QK_COLUMN_TILE;                              \
        int begins = first == 0 && !a->accumulates;                                                \
        for (int r = 0; r < rows; r++) {                                                           \
            lanes16 old[VECTORS] = {0};                                                            \
            if (!begins)                                                                           \
                memcpy(old, a->dx + (row + (size_t)r) * a->dx_stride + a->first_column, width * 4);\
            for (int v = 0; v < VECTORS; v++)                                                      \
                sums[r][v] = old[v];                                                               \
        }                                                                                          \
        const float *dy = a->dy + row * a->dy_stride;                                              \
        for (size_t n = first; n < end; n++, weights += VECTORS) {                                 \
            _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++) {                    \
                float factor = dy[(size_t)r * a->dy_stride + n];                                   \
                lanes16 factors = {factor, factor, factor, factor, factor, factor, factor, factor, \
                                   factor, factor, factor, factor, factor, factor, factor, factor};\
                _Pragma("clang loop unroll(full)") for (int v = 0; v < VECTORS; v++) sums[r][v] =  \
                    __builtin_elementwise_fma(factors, weights[v], sums[r][v]);                    \
            }                                                                                      \
        }                                                                                          \
        for (int r = 0; r < rows; r++) {                                                           \
            lanes16 total[VECTORS];                                                                \
            for (int v = 0; v < VECTORS; v++)                                                      \
                total[v] = sums[r][v];                                                             \
            memcpy(a->dx + (row + (size_t)r) * a->dx_stride + a->first_column, total, width * 4);  \
        }                                                                                          \
    }                                                                                              \
    ATTRIBUTES void NAME(const qk_multiply_4bit_transposed_arguments *a) {                         \
        lanes16 *weights = a->scratch;                                                             \
        for (size_t first = 0; first < a->weight.n; first += CHUNK) {                              \
            size_t end = a->weight.n - first < CHUNK ? a->weight.n : first + CHUNK;                \
            for (size_t n = first; n < end; n++) {                                                 \
                row_part part = part_of_row(&a->weight, a->first_column, n);                       \
                DECODE(&a->weight, &part, (float *)(weights + (n - first) * VECTORS));             \
            }                                                                                      \
            size_t row = 0;                                                                        \
            for (; row + ROWS_AT_ONCE <= a->rows; row += ROWS_AT_ONCE)                             \
                NAME##_rows(a, row, ROWS_AT_ONCE, first, end, weights);                            \
            switch (a->rows - row) {                                                               \
            case 5: NAME##_rows(a, row, 5, first, end, weights); break;                            \
            case 4: NAME##_rows(a, row, 4, first, end, weights); break;                            \
            case 3: NAME##_rows(a, row, 3, first, end, weights); break;                            \
            case 2: NAME##_rows(a, row, 2, first, end, weights); break;                            \
            case 1: NAME##_rows(a, row, 1, first, end, weights); break;                            \
            default: break;                                                                        \
            }                                                                                      \
        }                                                                                          \
    }

#endif
