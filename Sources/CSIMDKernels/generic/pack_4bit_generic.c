#include "qk_multiply.h"
#include <string.h>

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
