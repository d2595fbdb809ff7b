// Vectors of LANES float32 in the compiler's own notation: one source for every width of register. A
// file that includes this defines
//   LANES    4, 8 or 16
//   TARGET   the attribute of functions that use the registers
// and may then include loops that are written in these terms.

#include <stdint.h>
#include <string.h>

#define INLINE_LANES static inline __attribute__((always_inline)) TARGET

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));

INLINE_LANES vec load_lanes(const float *from) {
    vec value;
    memcpy(&value, from, sizeof value);
    return value;
}

/// LANES bfloat16, widened.
INLINE_LANES vec load_bfloat16_lanes(const uint16_t *from) {
    typedef uint16_t halves __attribute__((vector_size(2 * LANES)));
    halves value;
    memcpy(&value, from, sizeof value);
    return (vec)(__builtin_convertvector(value, ivec) << 16);
}

INLINE_LANES void store_lanes(float *to, vec value) { memcpy(to, &value, sizeof value); }

INLINE_LANES vec all_lanes(float value) { return value - (vec){}; }

INLINE_LANES vec choose_lanes(ivec condition, vec yes, vec no) {
    return (vec)((condition & (ivec)yes) | (~condition & (ivec)no));
}

/// The sum of all lanes: halves are added until one is left.
INLINE_LANES float sum_of_lanes(vec value) {
    float lanes[LANES];
    store_lanes(lanes, value);
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lanes[i] += lanes[i + half];
    return lanes[0];
}

INLINE_LANES vec larger_lanes(vec a, vec b) { return choose_lanes(a > b, a, b); }

/// The largest of all lanes, none of which is NaN.
INLINE_LANES float largest_of_lanes(vec value) {
    float lanes[LANES];
    store_lanes(lanes, value);
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            lanes[i] = lanes[i] > lanes[i + half] ? lanes[i] : lanes[i + half];
    return lanes[0];
}
