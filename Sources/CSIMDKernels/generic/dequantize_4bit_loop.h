// The loop over blocks, the same in every vector variant. A variant includes this file once, after it
// has defined:
//   TARGET       the attribute that sets its instruction set; INLINE
//   GROUP        the elements it decodes together, an even number
//   ALIGNMENT    what addresses of streaming stores are a multiple of; divides the bytes of a group
//   code_table   the 16 results of a block in its own form, made by make_table(values, a, type)
//   decode_group(codes, table, type, out, streaming) for GROUP elements
// It then has dequantize_all.

#include "qk_dequantize_4bit.h"
#include <string.h>

TARGET INLINE void dequantize_blocks(const uint8_t *codes, const float *absmax, size_t count,
                                     size_t block_size, const float *values, char *out,
                                     qk_float_type type, int streaming) {
    size_t size = qk_float_size(type);
    for (size_t block = 0, start = 0; start < count; block++, start += block_size) {
        size_t end = count - start < block_size ? count : start + block_size, i = start;
        code_table table = make_table(values, absmax[block], type);
        for (; i + GROUP <= end; i += GROUP)
            decode_group(codes + i / 2, &table, type, out + i * size, streaming);
        if (i < end) {
            uint8_t padded[GROUP / 2] = {0};
            char decoded[GROUP * 4];
            memcpy(padded, codes + i / 2, (end - i + 1) / 2);
            decode_group(padded, &table, type, decoded, 0);
            memcpy(out + i * size, decoded, (end - i) * size);
        }
    }
}

#include "dequantize_all.h"
