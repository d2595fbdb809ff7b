#ifndef QK_PANEL_4BIT_H
#define QK_PANEL_4BIT_H

#include "qk_multiply_transposed.h"

enum { EIGHTS = QK_COLUMN_TILE / 8 };

/// Where a tile's part of a panel of 4-bit codes is: [eights][16 rows][4 bytes] of codes, and the 16
/// scales of each eight columns. Beyond the weight's last column, the last eight once more: what is
/// decoded from it is not used.
typedef struct {
    const uint8_t *codes[EIGHTS];
    const float *scales[EIGHTS];
} panel_part;

static inline panel_part part_of_panel(const qk_packed_weight *w, size_t first_column,
                                       size_t panel) {
    const uint8_t *codes = w->codes + panel * w->k * 8;
    const float *scales = w->scales + panel * (w->k / w->group) * QK_PANEL_ROWS;
    size_t in_group = first_column % w->group;
    scales += first_column / w->group * QK_PANEL_ROWS;
    panel_part part;
    for (size_t eight = 0; eight < EIGHTS; eight++) {
        size_t column = first_column + 8 * eight;
        if (column >= w->k) {
            part.codes[eight] = part.codes[eight - 1];
            part.scales[eight] = part.scales[eight - 1];
            continue;
        }
        if (in_group == w->group) {
            scales += QK_PANEL_ROWS;
            in_group = 0;
        }
        part.codes[eight] = codes + column * 8;
        part.scales[eight] = scales;
        __builtin_prefetch(part.codes[eight] + QK_PANELS_AHEAD * w->k * 8);
        __builtin_prefetch(scales + QK_PANELS_AHEAD * (w->k / w->group) * QK_PANEL_ROWS);
        in_group += 8;
    }
    return part;
}

#endif
