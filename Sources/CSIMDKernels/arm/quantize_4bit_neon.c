#pragma STDC FP_CONTRACT OFF

#include "search_4bit_neon.h"
#include "qk_quantize_4bit.h"

#if defined(__aarch64__)

// Elements that are quantized together: 16 bytes of codes.
enum { GROUP = 32 };

typedef search_tables_4bit search_tables;

/// Returns the codes of 16 elements.
INLINE uint8x16_t quantize_16(const char *input, qk_float_type type, float32x4_t reciprocal,
                              const search_tables *tables, int magnitude_rule) {
    int16x4_t n[4];
    for (int i = 0; i < 4; i++) {
        float32x4_t x = load_neon(input + 4 * i * qk_float_size(type), type);
        n[i] = vmovn_s32(negated_ranks(vmulq_f32(x, reciprocal), tables, magnitude_rule));
    }
    int8x16_t negated =
        vcombine_s8(vmovn_s16(vcombine_s16(n[0], n[1])), vmovn_s16(vcombine_s16(n[2], n[3])));
    return vqtbl1q_u8(tables->codes, vreinterpretq_u8_s8(vnegq_s8(negated)));
}

/// Quantizes 32 elements, scaled by multiplication, to 16 bytes.
INLINE void quantize_group(const char *input, qk_float_type type, size_t count, float factor,
                           const search_tables *tables, int magnitude_rule, uint8_t *codes) {
    (void)count; // always GROUP
    float32x4_t reciprocal = vdupq_n_f32(factor);
    size_t half = 16 * qk_float_size(type);
    uint8x16_t low = quantize_16(input, type, reciprocal, tables, magnitude_rule);
    uint8x16_t high = quantize_16(input + half, type, reciprocal, tables, magnitude_rule);
    uint8x16_t even = vuzp1q_u8(low, high), odd = vuzp2q_u8(low, high);
    vst1q_u8(codes, vsliq_n_u8(odd, even, 4));
}

#define find_absmax absmax_neon

#define TARGET
#include "../generic/quantize_4bit_loop.h"

void qk_quantize_4bit_neon(const void *input, qk_float_type type, size_t count, size_t block_size,
                           const qk_codebook_4bit *codebook, const float *scales, void *codes,
                           float *absmax) {
    quantize_all(input, type, count, block_size, codebook, scales, codes, absmax);
}

#endif
