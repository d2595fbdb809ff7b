#pragma STDC FP_CONTRACT OFF

#include "float_convert.h"
#include "qk_dequantize_8bit.h"

void qk_dequantize_8bit_generic(const void *codes, const float *absmax, size_t count,
                                size_t block_size, const float *values, void *out,
                                qk_float_type type, int streaming) {
    (void)streaming;
    for (size_t i = 0, block = 0; i < count; block++) {
        size_t end = count - i < block_size ? count : i + block_size;
        for (; i < end; i++)
            qk_store(out, type, i, values[((const uint8_t *)codes)[i]] * absmax[block]);
    }
}
