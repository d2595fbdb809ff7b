#ifndef QK_QUANTIZE_4BIT_BLOCK_H
#define QK_QUANTIZE_4BIT_BLOCK_H

#include "block_scaling.h"
#include "qk_quantize_4bit.h"

// The pieces of the rule that the variants share: they run once a block, or only on blocks so rare
// that no instruction set needs its own.

/// Returns the rank of the scaled element v.
static inline unsigned qk_rank_4bit(const qk_codebook_4bit *codebook, float v) {
    const float *t = codebook->thresholds;
    unsigned rank = 0;
    if (codebook->magnitude_rule) {
        float magnitude = qk_float_of(qk_bits_of(v) & 0x7fffffff);
        for (int level = 4; level > 0; level /= 2)
            rank += t[rank + level - 1] < magnitude ? level : 0;
        return rank + (v < 0.0f ? 8 : 0);
    }
    for (int level = 8; level > 0; level /= 2)
        rank += t[rank + level - 1] < v ? level : 0;
    return rank;
}

static inline uint8_t qk_code_4bit(const qk_codebook_4bit *codebook, float v) {
    return codebook->code_of_rank[qk_rank_4bit(codebook, v)];
}

/// Quantizes one block, elements start ..< start + count, with scale `a`; codes are its own.
static inline void qk_quantize_4bit_block(const void *input, qk_float_type type, size_t start,
                                          size_t count, const qk_codebook_4bit *codebook, float a,
                                          uint8_t *codes) {
    uint8_t zero = qk_code_4bit(codebook, 0.0f);
    float reciprocal = 0.0f;
    int scaling = qk_block_scaling(a, &reciprocal);
    if (scaling == QK_SCALE_NONE) {
        memset(codes, zero << 4 | zero, (count + 1) / 2);
        return;
    }
    for (size_t i = 0; i < count; i += 2) {
        uint8_t pair[2] = {zero, zero};
        for (size_t j = 0; j < 2 && i + j < count; j++) {
            float x = qk_load(input, type, start + i + j);
            pair[j] = qk_code_4bit(codebook, scaling == QK_SCALE_MULTIPLY ? x * reciprocal : x / a);
        }
        codes[i / 2] = (uint8_t)(pair[0] << 4 | pair[1]);
    }
}

#endif
