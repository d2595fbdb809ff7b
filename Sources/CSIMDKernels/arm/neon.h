#ifndef QK_NEON_H
#define QK_NEON_H

#include "../generic/absmax_bits.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#define INLINE static inline __attribute__((always_inline))

/// Sixteen 8-bit codes of a packed weight, which are plus 128 there, with their sign.
INLINE int8x16_t signed_codes(uint8x16_t codes) {
    return vreinterpretq_s8_u8(veorq_u8(codes, vdupq_n_u8(0x80)));
}

/// The same as float32.
INLINE void widen_codes(uint8x16_t codes, float32x4_t *widened) {
    int8x16_t bytes = signed_codes(codes);
    int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
    widened[0] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(low)));
    widened[1] = vcvtq_f32_s32(vmovl_high_s16(low));
    widened[2] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(high)));
    widened[3] = vcvtq_f32_s32(vmovl_high_s16(high));
}

/// Returns four elements as float32.
INLINE float32x4_t load_neon(const char *input, qk_float_type type) {
    if (type == QK_FLOAT32)
        return vreinterpretq_f32_u8(vld1q_u8((const uint8_t *)input));
    uint16x4_t words = vreinterpret_u16_u8(vld1_u8((const uint8_t *)input));
    if (type == QK_FLOAT16)
        return vcvt_f32_f16(vreinterpret_f16_u16(words));
    return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(words), 16));
}

/// Rounds four float32 to bfloat16 or float16. NaNs must be canonical.
INLINE uint16x4_t narrow_neon(float32x4_t x, qk_float_type type) {
    if (type == QK_FLOAT16)
        return vreinterpret_u16_f16(vcvt_f16_f32(x));
    uint32x4_t bits = vreinterpretq_u32_f32(x);
    uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    return vshrn_n_u32(vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7fff)), odd), 16);
}

/// Returns the largest magnitude of `count` elements; a NaN or an infinity shows.
INLINE float absmax_neon(const char *input, qk_float_type type, size_t count) {
    size_t body = count & ~(size_t)15;
    uint32_t largest = qk_absmax_bits(input, type, body, count - body), found;
    if (type == QK_FLOAT32) {
        uint32x4_t mask = vdupq_n_u32(0x7fffffff), best[4] = {vdupq_n_u32(0)};
        best[1] = best[2] = best[3] = best[0];
        for (size_t i = 0; i < body; i += 16)
            for (int j = 0; j < 4; j++) {
                uint8x16_t bytes = vld1q_u8((const uint8_t *)input + 4 * i + 16 * j);
                best[j] = vmaxq_u32(best[j], vandq_u32(vreinterpretq_u32_u8(bytes), mask));
            }
        found = vmaxvq_u32(vmaxq_u32(vmaxq_u32(best[0], best[1]), vmaxq_u32(best[2], best[3])));
    } else {
        uint16x8_t mask = vdupq_n_u16(0x7fff), best[2] = {vdupq_n_u16(0), vdupq_n_u16(0)};
        for (size_t i = 0; i < body; i += 16)
            for (int j = 0; j < 2; j++) {
                uint8x16_t bytes = vld1q_u8((const uint8_t *)input + 2 * i + 16 * j);
                best[j] = vmaxq_u16(best[j], vandq_u16(vreinterpretq_u16_u8(bytes), mask));
            }
        uint16_t half = vmaxvq_u16(vmaxq_u16(best[0], best[1]));
        found = type == QK_BFLOAT16 ? (uint32_t)half << 16 : qk_widen_f16(half);
    }
    return qk_absmax_value(found > largest ? found : largest);
}

#endif

#endif
