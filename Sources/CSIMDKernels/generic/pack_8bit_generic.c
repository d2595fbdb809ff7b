#include "qk_multiply.h"

/// The place of a column among the eight of its two dwords: 1 3 5 7, 0 2 4 6.
static size_t place_of(size_t column) { return (column % 2 ? 0 : 64) + column / 2; }

/// Where a row of a packed weight begins.
static size_t start_of(size_t row, size_t k) {
    return row / QK_PANEL_ROWS * k * QK_PANEL_ROWS + row % QK_PANEL_ROWS * 4;
}

void qk_pack_8bit(const uint8_t *codes, const float *scales, size_t n, size_t k, size_t block,
                  size_t group, size_t first, size_t end, uint8_t *packed_codes,
                  float *packed_scales) {
    (void)block, (void)group;
    for (size_t row = first * QK_PANEL_ROWS; row < end * QK_PANEL_ROWS; row++) {
        uint8_t *own = packed_codes + start_of(row, k);
        for (size_t e = 0; e < k; e++)
            own[e / 8 * 128 + place_of(e % 8)] = row < n ? codes[row * k + e] ^ 0x80 : 0x80;
        packed_scales[row] = row < n ? scales[row] : 0;
    }
}

void qk_unpack_8bit(const uint8_t *packed_codes, size_t n, size_t k, size_t first, size_t end,
                    uint8_t *codes) {
    for (size_t row = first * QK_PANEL_ROWS; row < end * QK_PANEL_ROWS && row < n; row++) {
        const uint8_t *own = packed_codes + start_of(row, k);
        for (size_t e = 0; e < k; e++)
            codes[row * k + e] = own[e / 8 * 128 + place_of(e % 8)] ^ 0x80;
    }
}
