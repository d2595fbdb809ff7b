#pragma STDC FP_CONTRACT OFF

#include "neon.h"

#if defined(__aarch64__)

// Elements that are decoded together: 16 bytes of codes.
enum { GROUP = 32, ALIGNMENT = 1 };

typedef uint8x16x4_t code_table;

/// Returns the 16 possible results of a block, split into planes: byte p of result c is byte c of
/// plane p. 16-bit types have two planes.
INLINE code_table make_table(const float *values, float a, qk_float_type type) {
    uint8_t results[64];
    for (int i = 0; i < 4; i++) {
        float32x4_t product = vmulq_f32(vld1q_f32(values + 4 * i), vdupq_n_f32(a));
        float32x4_t nan = vreinterpretq_f32_u32(vdupq_n_u32(0x7fc00000));
        product = vbslq_f32(vceqq_f32(product, product), product, nan);
        if (type == QK_FLOAT32)
            vst1q_u8(results + 16 * i, vreinterpretq_u8_f32(product));
        else
            vst1_u8(results + 8 * i, vreinterpret_u8_u16(narrow_neon(product, type)));
    }
    if (type == QK_FLOAT32)
        return vld4q_u8(results);
    uint8x16x2_t pair = vld2q_u8(results);
    uint8x16x4_t planes = {{pair.val[0], pair.val[1], pair.val[0], pair.val[1]}};
    return planes;
}

/// Decodes 16 codes, one a byte.
INLINE void decode_16(uint8x16_t index, const code_table *planes, qk_float_type type,
                      uint8_t *out) {
    if (type == QK_FLOAT32) {
        uint8x16x4_t bytes;
        for (int p = 0; p < 4; p++)
            bytes.val[p] = vqtbl1q_u8(planes->val[p], index);
        vst4q_u8(out, bytes);
    } else {
        uint8x16x2_t bytes;
        for (int p = 0; p < 2; p++)
            bytes.val[p] = vqtbl1q_u8(planes->val[p], index);
        vst2q_u8(out, bytes);
    }
}

/// Decodes 16 bytes of codes to 32 elements; there are no streaming stores of whole vectors.
INLINE void decode_group(const uint8_t *codes, const code_table *planes, qk_float_type type,
                         char *out, int streaming) {
    (void)streaming;
    uint8x16_t bytes = vld1q_u8(codes);
    uint8x16_t even = vshrq_n_u8(bytes, 4), odd = vandq_u8(bytes, vdupq_n_u8(15));
    decode_16(vzip1q_u8(even, odd), planes, type, (uint8_t *)out);
    decode_16(vzip2q_u8(even, odd), planes, type, (uint8_t *)out + 16 * qk_float_size(type));
}

#define TARGET
#include "../generic/dequantize_4bit_loop.h"

void qk_dequantize_4bit_neon(const void *codes, const float *absmax, size_t count,
                             size_t block_size, const float *values, void *out,
                             qk_float_type type, int streaming) {
    (void)streaming;
    dequantize_all(codes, absmax, count, block_size, values, out, type, 0);
}

#endif
