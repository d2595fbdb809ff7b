#pragma STDC FP_CONTRACT OFF

#include "qk_codebook_8bit.h"
#include "generic/quantize_8bit_block.h"

void qk_codebook_8bit_thresholds(const float *values, float *thresholds) {
    for (int i = 0; i < 255; i++) {
        float middle = (values[i] + values[i + 1]) * 0.5f;
        // At an odd index a tie goes up: the next smaller number is the one strictly below.
        if (i % 2 == 1) {
            uint32_t bits = qk_bits_of(middle);
            if ((bits & 0x7fffffff) == 0)
                bits = 0x80000001;
            else
                bits += bits >> 31 ? 1 : -1u;
            middle = qk_float_of(bits);
        }
        thresholds[i] = middle;
    }
    thresholds[255] = qk_float_of(0x7f800000);
}

/// Fills the entries of one sign; returns 0 if a bucket has two thresholds.
static int fill_half(const qk_codebook_8bit *codebook, uint32_t sign, uint32_t *entries) {
    uint32_t shift = codebook->lookup_shift, mask = ((uint32_t)1 << shift) - 1;
    for (uint32_t i = 0; i < codebook->lookup_half; i++) {
        uint32_t low = codebook->lookup_start + (i << shift);
        // The bucket's elements of lowest and highest value.
        float first = qk_float_of(sign | (sign ? low | mask : low));
        float last = qk_float_of(sign | (sign ? low : low | mask));
        uint32_t base = qk_search_8bit(codebook->thresholds, first);
        uint32_t end = qk_search_8bit(codebook->thresholds, last);
        uint32_t limit = mask;
        if (end > base + 1)
            return 0;
        if (end == base + 1) {
            uint32_t bits = qk_bits_of(codebook->thresholds[base]);
            limit = (sign ? ~bits : bits) & mask;
        }
        entries[i] = base << 24 | limit;
    }
    return 1;
}

void qk_codebook_8bit_make_lookup(qk_codebook_8bit *codebook, uint32_t *lookup) {
    // Elements nearer to 0 than every threshold share the first bucket of their sign.
    uint32_t start = 0x3f800000;
    for (int i = 0; i < 255; i++) {
        uint32_t bits = qk_bits_of(codebook->thresholds[i]);
        uint32_t magnitude = (bits & 0x7fffffff) - (bits >> 31 && bits != 0x80000000);
        start = magnitude < start ? magnitude : start;
    }
    codebook->lookup = NULL;
    for (uint32_t shift = 18; shift >= 14; shift--) {
        uint32_t low = start >> shift << shift;
        // Up to 1 and the numbers next to it.
        uint32_t half = ((0x3f800000 - low) >> shift) + 1;
        if (half > QK_LOOKUP_8BIT_CAPACITY / 2)
            return;
        codebook->lookup_start = low;
        codebook->lookup_shift = shift;
        codebook->lookup_half = half;
        if (fill_half(codebook, 0, lookup) && fill_half(codebook, 0x80000000, lookup + half)) {
            codebook->lookup = lookup;
            return;
        }
    }
}
