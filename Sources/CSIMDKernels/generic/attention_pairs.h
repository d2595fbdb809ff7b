// Pairs of numbers that attention multiplies at once; after vector_lanes.h. Two keys' channels or two
// values' tokens make a pair, so that processors with dot products of bfloat16 can use them. A file that
// includes this may define
//   DOT_PAIRS(sum, w, x)     sum + the dot products of the pairs of bfloat16 in each word of w and x
//   ROUND_PAIRS(from, to)    rounds 2 * LANES floats to LANES pairs of bfloat16
// and then has attention to bfloat16 alone.

#include "bfloat16_bits.h"

#if defined(DOT_PAIRS)

/// LANES pairs of bfloat16.
typedef ivec pairs;
/// A pair that is multiplied with all lanes.
typedef uint32_t factor;

INLINE_LANES vec add_products(vec sum, pairs w, factor x) {
    return DOT_PAIRS(sum, w, (ivec){} + (int32_t)x);
}

INLINE_LANES pairs load_pairs(const void *from, size_t index) {
    pairs value;
    memcpy(&value, (const uint16_t *)from + index, sizeof value);
    return value;
}

INLINE_LANES factor factor_of(float first, float second) {
    return qk_bf16_bits(qk_bits_of(first)) | qk_bf16_bits(qk_bits_of(second)) << 16;
}

/// Makes factors of `count` numbers, a multiple of 2 * LANES, in their place.
INLINE_LANES void make_factors(float *numbers, size_t count) {
    for (size_t i = 0; i < count; i += 2 * LANES)
        ROUND_PAIRS(numbers + i, (uint32_t *)numbers + i / 2);
}

#else

typedef struct {
    vec first, second;
} pairs;
typedef struct {
    float first, second;
} factor;

INLINE_LANES vec add_products(vec sum, pairs w, factor x) {
    sum += x.first * w.first;
    return sum + x.second * w.second;
}

INLINE_LANES pairs load_pairs(const void *from, size_t index) {
    ivec value;
    memcpy(&value, (const uint16_t *)from + index, sizeof value);
    return (pairs){(vec)(value << 16), (vec)(value & (int32_t)0xffff0000)};
}

INLINE_LANES void make_factors(float *numbers, size_t count) {
    for (size_t i = 0; i < count; i++)
        numbers[i] = qk_rounded_to_bf16(numbers[i]);
}

#endif
