#pragma STDC FP_CONTRACT OFF

#include "qk_quantize_8bit.h"
#include "quantize_8bit_block.h"

void qk_quantize_8bit_generic(const void *input, qk_float_type type, size_t count,
                              size_t block_size, const qk_codebook_8bit *codebook, void *codes,
                              float *absmax) {
    size_t size = qk_float_size(type);
    for (size_t block = 0, start = 0; start < count; block++, start += block_size) {
        size_t length = count - start < block_size ? count - start : block_size;
        const char *in = (const char *)input + start * size;
        absmax[block] = qk_absmax_value(qk_absmax_bits(in, type, 0, length));
        qk_quantize_8bit_block(in, type, length, codebook, absmax[block], (uint8_t *)codes + start);
        if (length < block_size)
            return; // start + block_size could overflow
    }
}
