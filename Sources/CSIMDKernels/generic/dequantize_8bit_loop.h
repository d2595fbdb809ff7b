// The loop over blocks, the same in every vector variant. A variant includes this file once, after it
// has defined:
//   TARGET      the attribute that sets its instruction set; INLINE
//   GROUP       the elements it decodes together
//   ALIGNMENT   what addresses of streaming stores are a multiple of; divides the bytes of a group
//   map_table   the map in its own form, made by make_map(values)
//   decode_group(codes, map, a, type, out, streaming) for GROUP elements
// It then has dequantize_all.

#include "float_convert.h"
#include "qk_dequantize_8bit.h"

TARGET INLINE void dequantize_blocks(const uint8_t *codes, const float *absmax, size_t count,
                                     size_t block_size, const float *values, char *out,
                                     qk_float_type type, int streaming) {
    size_t size = qk_float_size(type);
    map_table map = make_map(values);
    while (count > 0) {
        size_t length = count < block_size ? count : block_size, i = 0;
        float a = *absmax++;
        for (; i + GROUP <= length; i += GROUP)
            decode_group(codes + i, &map, a, type, out + i * size, streaming);
        if (i < length) {
            uint8_t padded[GROUP] = {0};
            char decoded[GROUP * 4];
            memcpy(padded, codes + i, length - i);
            decode_group(padded, &map, a, type, decoded, 0);
            memcpy(out + i * size, decoded, (length - i) * size);
        }
        codes += length;
        out += length * size;
        count -= length;
    }
}

#include "dequantize_all.h"
