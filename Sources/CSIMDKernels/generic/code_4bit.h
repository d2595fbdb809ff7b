#ifndef QK_CODE_4BIT_H
#define QK_CODE_4BIT_H

#include <stddef.h>
#include <stdint.h>

/// Code `i` of canonical bytes: the first of two is the high nibble.
static inline unsigned qk_code_at(const uint8_t *codes, size_t i) {
    return i % 2 ? codes[i / 2] & 15 : codes[i / 2] >> 4;
}

#endif
