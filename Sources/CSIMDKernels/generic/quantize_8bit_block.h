#ifndef QK_QUANTIZE_8BIT_BLOCK_H
#define QK_QUANTIZE_8BIT_BLOCK_H

#include "block_scaling.h"
#include "qk_codebook_8bit.h"

/// Returns the number of the first 255 thresholds strictly below v.
static inline unsigned qk_search_8bit(const float *thresholds, float v) {
    unsigned rank = 0;
    for (unsigned level = 128; level > 0; level /= 2)
        rank += thresholds[rank + level - 1] < v ? level : 0;
    return rank;
}

/// Returns the code of the scaled element v.
static inline uint8_t qk_code_8bit(const qk_codebook_8bit *codebook, float v) {
    if (!codebook->lookup)
        return (uint8_t)qk_search_8bit(codebook->thresholds, v);
    uint32_t bits = qk_bits_of(v), sign = (uint32_t)((int32_t)bits >> 31);
    uint32_t magnitude = bits & 0x7fffffff, start = codebook->lookup_start;
    magnitude = magnitude < start ? start : magnitude;
    uint32_t bucket = ((magnitude - start) >> codebook->lookup_shift) +
                      (sign & codebook->lookup_half);
    uint32_t entry = codebook->lookup[bucket];
    uint32_t low = (magnitude ^ sign) & (((uint32_t)1 << codebook->lookup_shift) - 1);
    return (uint8_t)((entry >> 24) + (low > (entry & 0xffffff)));
}

/// Quantizes one block of `count` elements with scale `a`.
static inline void qk_quantize_8bit_block(const void *input, qk_float_type type, size_t count,
                                          const qk_codebook_8bit *codebook, float a,
                                          uint8_t *codes) {
    float reciprocal = 0.0f;
    int scaling = qk_block_scaling(a, &reciprocal);
    if (scaling == QK_SCALE_NONE) {
        memset(codes, 0, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        float x = qk_load(input, type, i);
        codes[i] = qk_code_8bit(codebook, scaling == QK_SCALE_MULTIPLY ? x * reciprocal : x / a);
    }
}

#endif
