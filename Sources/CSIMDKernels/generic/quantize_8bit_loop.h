// The loop over blocks, the same in every vector variant. A variant includes this file once, after it
// has defined:
//   TARGET        the attribute that sets its instruction set; INLINE
//   GROUP         the elements it quantizes together
//   find_absmax(input, type, count)
//   quantize_group(input, type, factor, codebook, codes), which scales GROUP elements by
//                 multiplication and looks them up
// It then has quantize_all.

#include "constant_type.h"
#include "quantize_8bit_block.h"

TARGET INLINE void quantize_blocks(const char *input, qk_float_type type, size_t count,
                                   size_t block_size, const qk_codebook_8bit *codebook,
                                   uint8_t *codes, float *absmax) {
    size_t size = qk_float_size(type);
    while (count > 0) {
        size_t length = count < block_size ? count : block_size, i = 0;
        float a = find_absmax(input, type, length), factor;
        *absmax++ = a;
        if (codebook->lookup && qk_block_scaling(a, &factor) == QK_SCALE_MULTIPLY) {
            for (; i + GROUP <= length; i += GROUP)
                quantize_group(input + i * size, type, factor, codebook, codes + i);
            if (i < length) {
                char padded[GROUP * 4] = {0};
                uint8_t found[GROUP];
                memcpy(padded, input + i * size, (length - i) * size);
                quantize_group(padded, type, factor, codebook, found);
                memcpy(codes + i, found, length - i);
            }
        } else {
            qk_quantize_8bit_block(input, type, length, codebook, a, codes);
        }
        input += length * size;
        codes += length;
        count -= length;
    }
}

/// Compiles the loop for each type and calls the right one.
TARGET INLINE void quantize_all(const void *input, qk_float_type type, size_t count,
                                size_t block_size, const qk_codebook_8bit *codebook, void *codes,
                                float *absmax) {
#define QUANTIZE(type) quantize_blocks(input, type, count, block_size, codebook, codes, absmax)
    FOR_CONSTANT_TYPE(type, QUANTIZE)
#undef QUANTIZE
}
