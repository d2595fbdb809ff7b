#pragma STDC FP_CONTRACT OFF

#include "quantize_4bit_block.h"

void qk_quantize_4bit_generic(const void *input, qk_float_type type, size_t count,
                              size_t block_size, const qk_codebook_4bit *codebook,
                              const float *scales, void *codes, float *absmax) {
    for (size_t block = 0, start = 0; start < count; block++, start += block_size) {
        size_t length = count - start < block_size ? count - start : block_size;
        float a = scales ? scales[block]
                         : qk_absmax_value(qk_absmax_bits(input, type, start, length));
        if (absmax)
            absmax[block] = a;
        qk_quantize_4bit_block(input, type, start, length, codebook, a,
                               (uint8_t *)codes + start / 2);
    }
}
