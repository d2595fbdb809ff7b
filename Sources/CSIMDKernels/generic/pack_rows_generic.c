#pragma STDC FP_CONTRACT OFF

#include "pack_rows_loop.h"

size_t qk_packed_rows_size(size_t rows, size_t k, size_t group, qk_row_packing packing) {
    switch (packing) {
    case QK_ROWS_BFLOAT16: return rows * ((k + 7) / 8 * 16);
    case QK_ROWS_INT8: return rows * (k + 8 * ((group + QK_INT8_RUN - 1) / QK_INT8_RUN * (k / group)));
    default: return rows * k * 4;
    }
}

void qk_pack_rows_generic(const float *x, size_t stride, size_t rows, size_t k, size_t group,
                          qk_row_packing packing, void *packed) {
    pack_rows(x, stride, rows, k, group, packing, packed);
}
