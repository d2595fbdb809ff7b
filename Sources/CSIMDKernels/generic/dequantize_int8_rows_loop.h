// The loop over rows, the same in every vector variant. A variant includes this file once, after it has
// defined:
//   TARGET       the attribute that sets its instruction set; INLINE
//   GROUP        the elements it decodes together
//   ALIGNMENT    what addresses of streaming stores are a multiple of; divides the bytes of a group
//   decode_group(codes, scale, type, out, streaming) for GROUP elements, where the scale is finite
// It then has dequantize_all.

#include "constant_type.h"
#include "int8_row.h"
#include "qk_dequantize_int8_rows.h"

TARGET INLINE void dequantize_rows(const int8_t *codes, const float *scales, size_t row_count,
                                   size_t column_count, char *out, qk_float_type type,
                                   int streaming) {
    size_t size = qk_float_size(type);
    for (size_t row = 0; row < row_count; row++) {
        size_t i = 0;
        // Other scales can give a NaN, and the vectors do not make it canonical.
        if ((qk_bits_of(scales[row]) & 0x7fffffff) < 0x7f800000)
            for (; i + GROUP <= column_count; i += GROUP)
                decode_group(codes + i, scales[row], type, out + i * size, streaming);
        qk_dequantize_int8_run(codes + i, scales[row], column_count - i, out + i * size, type);
        codes += column_count;
        out += column_count * size;
    }
}

/// Compiles the loop for each type and calls the right one. Returns whether stores went past the
/// caches.
TARGET INLINE int dequantize_all(const void *codes, const float *scales, size_t row_count,
                                 size_t column_count, void *out, qk_float_type type,
                                 int streaming) {
    // Streaming stores need aligned addresses, in every row.
    if ((uintptr_t)out % ALIGNMENT != 0 || column_count % GROUP != 0)
        streaming = 0;
#define DEQUANTIZE(type, streaming)                                                                \
    dequantize_rows(codes, scales, row_count, column_count, out, type, streaming)
    FOR_CONSTANT_TYPE_AND_FLAG(type, streaming, DEQUANTIZE)
#undef DEQUANTIZE
    return streaming;
}
