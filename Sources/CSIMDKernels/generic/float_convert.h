#ifndef QK_FLOAT_CONVERT_H
#define QK_FLOAT_CONVERT_H

#include "qk_types.h"
#include <stddef.h>
#include <string.h>

// Conversions on integers, so that they give the same bits on every processor. A NaN keeps its sign
// and the upper bits of its payload and becomes quiet, as the conversion instructions do it.

static inline uint32_t qk_bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

static inline float qk_float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static inline uint32_t qk_widen_f16(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = half & 0x7fff;
    if (magnitude > 0x7c00)
        return sign | 0x7fc00000 | magnitude << 13;
    if (magnitude == 0x7c00)
        return sign | 0x7f800000;
    if (magnitude >= 0x0400)
        return sign | ((magnitude << 13) + 0x38000000);
    // Subnormal: magnitude units of 2^-24, exact in float32.
    return sign | qk_bits_of((float)magnitude * 0x1p-24f);
}

static inline uint16_t qk_narrow_bf16(uint32_t bits) {
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline uint16_t qk_narrow_f16(uint32_t bits) {
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    // 65520 and more round to infinity.
    if (magnitude >= 0x477ff000)
        return (uint16_t)(sign | 0x7c00);
    if (magnitude >= 0x38800000) {
        magnitude += 0xfff + (magnitude >> 13 & 1);
        return (uint16_t)(sign | (magnitude - 0x38000000) >> 13);
    }
    // Below 2^-14 the unit is 2^-24. Adding 0.5 leaves the multiple of it in the low bits, rounded.
    uint32_t units = qk_bits_of(qk_float_of(magnitude) + 0.5f) - qk_bits_of(0.5f);
    return (uint16_t)(sign | units);
}

/// Returns the float32 bits of element i.
static inline uint32_t qk_load_bits(const void *input, qk_float_type type, size_t i) {
    uint32_t word;
    uint16_t half;
    if (type == QK_FLOAT32) {
        memcpy(&word, (const char *)input + 4 * i, 4);
        return word;
    }
    memcpy(&half, (const char *)input + 2 * i, 2);
    return type == QK_BFLOAT16 ? (uint32_t)half << 16 : qk_widen_f16(half);
}

static inline float qk_load(const void *input, qk_float_type type, size_t i) {
    return qk_float_of(qk_load_bits(input, type, i));
}

/// Rounds to element i. A NaN becomes the positive quiet one without payload.
static inline void qk_store(void *out, qk_float_type type, size_t i, float value) {
    uint32_t bits = value != value ? 0x7fc00000 : qk_bits_of(value);
    if (type == QK_FLOAT32) {
        memcpy((char *)out + 4 * i, &bits, 4);
    } else {
        uint16_t half = type == QK_BFLOAT16 ? qk_narrow_bf16(bits) : qk_narrow_f16(bits);
        memcpy((char *)out + 2 * i, &half, 2);
    }
}

#endif
