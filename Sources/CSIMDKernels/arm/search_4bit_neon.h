#ifndef QK_SEARCH_4BIT_NEON_H
#define QK_SEARCH_4BIT_NEON_H

#include "neon.h"
#include "qk_quantize_4bit.h"

#if defined(__aarch64__)

// A binary search in four steps, four elements at a time. Masks are 0 or -1, so that n = 2 n + mask
// builds the negated rank -k. Tables are looked up by bytes.
typedef struct {
    float32x4_t first;     // threshold of step 1, in all elements
    float32x4_t second[2]; // step 2, by the result of step 1, in all elements
    uint8x16_t third;      // step 3: four values
    uint8x16x2_t fourth;   // step 4: eight values
    uint8x16_t codes;      // code by rank
} search_tables_4bit;

INLINE search_tables_4bit make_tables(const qk_codebook_4bit *codebook) {
    const float *t = codebook->thresholds;
    // With the magnitude rule step 1 finds the sign and both its results lead to the same tree.
    unsigned wrap = codebook->magnitude_rule ? 8 : 16;
    float third[4], fourth[8];
    for (unsigned k = 0; k < 4; k++)
        third[k] = t[(4 * k + 1) % wrap];
    for (unsigned k = 0; k < 8; k++)
        fourth[k] = t[2 * k % wrap];
    search_tables_4bit tables;
    tables.first = vdupq_n_f32(t[7]);
    tables.second[0] = vdupq_n_f32(t[3]);
    tables.second[1] = vdupq_n_f32(t[11 % wrap]);
    tables.third = vreinterpretq_u8_f32(vld1q_f32(third));
    tables.fourth.val[0] = vreinterpretq_u8_f32(vld1q_f32(fourth));
    tables.fourth.val[1] = vreinterpretq_u8_f32(vld1q_f32(fourth + 4));
    tables.codes = vld1q_u8(codebook->code_of_rank);
    return tables;
}

/// Returns 2 n + mask.
INLINE int32x4_t append(int32x4_t n, uint32x4_t mask) {
    return vaddq_s32(vaddq_s32(n, n), vreinterpretq_s32_u32(mask));
}

/// Returns the byte indices of float32 number -n.
INLINE uint8x16_t bytes_of(int32x4_t n) {
    int32x4_t index = vmlsq_s32(vdupq_n_s32(0x03020100), n, vdupq_n_s32(0x04040404));
    return vreinterpretq_u8_s32(index);
}

/// Returns the negated ranks of four scaled elements.
INLINE int32x4_t negated_ranks(float32x4_t v, const search_tables_4bit *tables, int magnitude_rule) {
    uint32x4_t above;
    if (magnitude_rule) {
        above = vcltzq_f32(v);
        v = vabsq_f32(v);
    } else {
        above = vcgtq_f32(v, tables->first);
    }
    int32x4_t n = vreinterpretq_s32_u32(above);
    float32x4_t threshold = magnitude_rule
                                ? tables->second[0]
                                : vbslq_f32(above, tables->second[1], tables->second[0]);
    n = append(n, vcgtq_f32(v, threshold));
    threshold = vreinterpretq_f32_u8(vqtbl1q_u8(tables->third, bytes_of(n)));
    n = append(n, vcgtq_f32(v, threshold));
    threshold = vreinterpretq_f32_u8(vqtbl2q_u8(tables->fourth, bytes_of(n)));
    return append(n, vcgtq_f32(v, threshold));
}

#endif

#endif
