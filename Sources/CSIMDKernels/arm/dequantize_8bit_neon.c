#pragma STDC FP_CONTRACT OFF

#include "neon.h"

#if defined(__aarch64__)

enum { GROUP = 8, ALIGNMENT = 16 };

typedef const float *map_table;

INLINE map_table make_map(const float *values) { return values; }

INLINE float32x4_t decode_4(const uint8_t *codes, const float *map, float a) {
    float32x4_t value = vdupq_n_f32(map[codes[0]]);
    value = vld1q_lane_f32(map + codes[1], value, 1);
    value = vld1q_lane_f32(map + codes[2], value, 2);
    value = vld1q_lane_f32(map + codes[3], value, 3);
    float32x4_t product = vmulq_f32(value, vdupq_n_f32(a));
    float32x4_t nan = vreinterpretq_f32_u32(vdupq_n_u32(0x7fc00000));
    return vbslq_f32(vceqq_f32(product, product), product, nan);
}

INLINE void decode_group(const uint8_t *codes, const map_table *map, float a, qk_float_type type,
                         char *out, int streaming) {
    (void)streaming; // no such stores of whole vectors
    float32x4_t low = decode_4(codes, *map, a), high = decode_4(codes + 4, *map, a);
    uint8_t *bytes = (uint8_t *)out;
    if (type == QK_FLOAT32) {
        vst1q_u8(bytes, vreinterpretq_u8_f32(low));
        vst1q_u8(bytes + 16, vreinterpretq_u8_f32(high));
    } else {
        uint16x8_t words = vcombine_u16(narrow_neon(low, type), narrow_neon(high, type));
        vst1q_u8(bytes, vreinterpretq_u8_u16(words));
    }
}

#define TARGET
#include "../generic/dequantize_8bit_loop.h"

void qk_dequantize_8bit_neon(const void *codes, const float *absmax, size_t count,
                             size_t block_size, const float *values, void *out,
                             qk_float_type type, int streaming) {
    dequantize_all(codes, absmax, count, block_size, values, out, type, streaming);
}

#endif
