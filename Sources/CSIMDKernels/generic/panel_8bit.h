#ifndef QK_PANEL_8BIT_H
#define QK_PANEL_8BIT_H

#include "qk_multiply_transposed.h"

/// Where a tile's part of a panel of 8-bit codes is: [eights][2][16 rows][4 bytes], columns 1 3 5 7 and
/// 0 2 4 6. Beyond the weight's last column, the last eight once more: what is decoded from it is not
/// used.
typedef struct {
    const uint8_t *eights[QK_COLUMN_TILE / 8];
    const float *scales; // of the 16 rows
} panel_part_8bit;

static inline panel_part_8bit part_of_panel_8bit(const qk_packed_weight *w, size_t first_column,
                                                 size_t panel) {
    panel_part_8bit part = {.scales = w->scales + panel * QK_PANEL_ROWS};
    const uint8_t *codes = w->codes + panel * w->k * QK_PANEL_ROWS;
    for (size_t eight = 0; eight < QK_COLUMN_TILE / 8; eight++) {
        size_t column = first_column + 8 * eight;
        if (column >= w->k)
            column = w->k - 8;
        part.eights[eight] = codes + column * QK_PANEL_ROWS;
        const uint8_t *ahead = part.eights[eight] + QK_PANELS_AHEAD * w->k * QK_PANEL_ROWS;
        __builtin_prefetch(ahead);
        __builtin_prefetch(ahead + 64);
    }
    return part;
}

#endif
