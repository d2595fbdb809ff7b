// The count, the same in every variant: loops that a compiler turns into the target's vectors. A variant
// includes this file once, after it has defined TARGET, the attribute that sets its instruction set, and
// INLINE.

#include "qk_count_non_finite.h"
#include <string.h>

// Elements between two sums of the counters, which have 32 and 16 bits.
enum { CHUNK_32 = 1 << 20, CHUNK_16 = 1 << 15 };

TARGET INLINE uint32_t count_words(const char *in, size_t count) {
    uint32_t found = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, in + i * 4, 4);
        found += (bits & 0x7fffffff) >= 0x7f800000;
    }
    return found;
}

// infinity: its bits in the type.
TARGET INLINE uint16_t count_halves(const char *in, size_t count, uint16_t infinity) {
    uint16_t found = 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, in + i * 2, 2);
        found += (uint16_t)(bits & 0x7fff) >= infinity;
    }
    return found;
}

TARGET INLINE size_t count_all(const char *in, qk_float_type type, size_t count) {
    size_t chunk = type == QK_FLOAT32 ? CHUNK_32 : CHUNK_16, found = 0;
    for (size_t start = 0; start < count; start += chunk) {
        size_t length = count - start < chunk ? count - start : chunk;
        const char *part = in + start * qk_float_size(type);
        found += type == QK_FLOAT32
                     ? count_words(part, length)
                     : count_halves(part, length, type == QK_BFLOAT16 ? 0x7f80 : 0x7c00);
    }
    return found;
}
