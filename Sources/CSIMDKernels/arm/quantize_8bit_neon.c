#pragma STDC FP_CONTRACT OFF

#include "neon.h"
#include "qk_quantize_8bit.h"

#if defined(__aarch64__)

// Elements that are quantized together.
enum { GROUP = 16 };

/// Returns the codes of four scaled elements.
INLINE uint32x4_t look_up(float32x4_t v, const qk_codebook_8bit *codebook) {
    int32x4_t shift = vdupq_n_s32(-(int)codebook->lookup_shift);
    uint32x4_t start = vdupq_n_u32(codebook->lookup_start);
    uint32x4_t low_mask = vdupq_n_u32(((uint32_t)1 << codebook->lookup_shift) - 1);
    uint32x4_t bits = vreinterpretq_u32_f32(v);
    uint32x4_t sign = vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_u32(bits), 31));
    uint32x4_t magnitude = vmaxq_u32(vandq_u32(bits, vdupq_n_u32(0x7fffffff)), start);
    uint32x4_t bucket = vshlq_u32(vsubq_u32(magnitude, start), shift);
    bucket = vaddq_u32(bucket, vandq_u32(sign, vdupq_n_u32(codebook->lookup_half)));
    uint32x4_t entry = vdupq_n_u32(0);
    entry = vld1q_lane_u32(codebook->lookup + vgetq_lane_u32(bucket, 0), entry, 0);
    entry = vld1q_lane_u32(codebook->lookup + vgetq_lane_u32(bucket, 1), entry, 1);
    entry = vld1q_lane_u32(codebook->lookup + vgetq_lane_u32(bucket, 2), entry, 2);
    entry = vld1q_lane_u32(codebook->lookup + vgetq_lane_u32(bucket, 3), entry, 3);
    uint32x4_t low = vandq_u32(veorq_u32(magnitude, sign), low_mask);
    uint32x4_t above = vcgtq_u32(low, vandq_u32(entry, vdupq_n_u32(0xffffff))); // 0 or -1
    return vsubq_u32(vshrq_n_u32(entry, 24), above);
}

INLINE void quantize_group(const char *input, qk_float_type type, float factor,
                           const qk_codebook_8bit *codebook, uint8_t *codes) {
    float32x4_t reciprocal = vdupq_n_f32(factor);
    uint16x4_t n[4];
    for (int i = 0; i < 4; i++) {
        float32x4_t x = load_neon(input + 4 * i * qk_float_size(type), type);
        n[i] = vmovn_u32(look_up(vmulq_f32(x, reciprocal), codebook));
    }
    uint8x8_t low = vmovn_u16(vcombine_u16(n[0], n[1])), high = vmovn_u16(vcombine_u16(n[2], n[3]));
    vst1q_u8(codes, vcombine_u8(low, high));
}

#define find_absmax absmax_neon

#define TARGET
#include "../generic/quantize_8bit_loop.h"

void qk_quantize_8bit_neon(const void *input, qk_float_type type, size_t count, size_t block_size,
                           const qk_codebook_8bit *codebook, void *codes, float *absmax) {
    quantize_all(input, type, count, block_size, codebook, codes, absmax);
}

#endif
