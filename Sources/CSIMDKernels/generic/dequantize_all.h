// The choice of a loop over blocks by element type, for the loops that define dequantize_blocks; see there.

#include "constant_type.h"

/// Compiles the loop for each type and calls the right one. Returns whether stores went past the
/// caches.
TARGET INLINE int dequantize_all(const void *codes, const float *absmax, size_t count,
                                 size_t block_size, const float *values, void *out,
                                 qk_float_type type, int streaming) {
    // Streaming stores need aligned addresses, in every block.
    if ((uintptr_t)out % ALIGNMENT != 0 || block_size % GROUP != 0)
        streaming = 0;
#define DEQUANTIZE(type, streaming)                                                                \
    dequantize_blocks(codes, absmax, count, block_size, values, out, type, streaming)
    FOR_CONSTANT_TYPE_AND_FLAG(type, streaming, DEQUANTIZE)
#undef DEQUANTIZE
    return streaming;
}
