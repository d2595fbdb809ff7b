#pragma STDC FP_CONTRACT OFF

#include "code_4bit.h"
#include "float_convert.h"
#include "qk_dequantize_4bit.h"

void qk_dequantize_4bit_generic(const void *codes, const float *absmax, size_t count,
                                size_t block_size, const float *values, void *out,
                                qk_float_type type, int streaming) {
    (void)streaming;
    const uint8_t *bytes = codes;
    for (size_t block = 0, start = 0; start < count; block++, start += block_size) {
        size_t end = count - start < block_size ? count : start + block_size;
        for (size_t i = start; i < end; i++) {
            unsigned code = qk_code_at(bytes, i);
            qk_store(out, type, i, values[code] * absmax[block]);
        }
    }
}
