#pragma STDC FP_CONTRACT OFF

#include "../generic/error_4bit.h"
#include "search_4bit_neon.h"

#if defined(__aarch64__)

#define TARGET

typedef struct {
    search_tables_4bit thresholds;
    uint8x16x4_t values; // by rank
} search_tables;

INLINE search_tables make_search_tables(const qk_codebook_4bit *codebook) {
    float values[16];
    for (unsigned rank = 0; rank < 16; rank++)
        values[rank] = codebook->values[codebook->code_of_rank[rank]];
    search_tables tables;
    tables.thresholds = make_tables(codebook);
    for (int i = 0; i < 4; i++)
        tables.values.val[i] = vreinterpretq_u8_f32(vld1q_f32(values + 4 * i));
    return tables;
}

/// Returns the square error of four elements.
INLINE float32x4_t error_4(const char *input, qk_float_type type, float power, float a,
                           float reciprocal, const search_tables *tables, int magnitude_rule) {
    float32x4_t x = vmulq_n_f32(load_neon(input, type), power);
    int32x4_t n = negated_ranks(vmulq_n_f32(x, reciprocal), &tables->thresholds, magnitude_rule);
    float32x4_t value = vreinterpretq_f32_u8(vqtbl4q_u8(tables->values, bytes_of(n)));
    float32x4_t d = vsubq_f32(x, vmulq_n_f32(value, a));
    return vmulq_f32(d, d);
}

INLINE float block_error(const char *input, qk_float_type type, size_t count, float power, float a,
                         const search_tables *tables, int magnitude_rule) {
    float reciprocal = 1.0f / a, lanes[16];
    float32x4_t sum[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
    size_t size = qk_float_size(type), i = 0;
#define ERROR_4(from) error_4(from, type, power, a, reciprocal, tables, magnitude_rule)
    for (; i + 16 <= count; i += 16)
        for (int j = 0; j < 4; j++)
            sum[j] = vaddq_f32(sum[j], ERROR_4(input + (i + 4 * j) * size));
    for (int j = 0; j < 4; j++)
        vst1q_f32(lanes + 4 * j, sum[j]);
    if (i < count) {
        char padded[64] = {0};
        float errors[16];
        memcpy(padded, input + i * size, (count - i) * size);
        for (int j = 0; j < 4; j++)
            vst1q_f32(errors + 4 * j, ERROR_4(padded + 4 * j * size));
        for (size_t l = 0; l < count - i; l++)
            lanes[l] += errors[l];
    }
#undef ERROR_4
    return qk_join_error_4bit(lanes);
}

#define find_absmax absmax_neon

#include "../generic/scale_search_4bit_loop.h"

void qk_scale_search_4bit_neon(const void *input, qk_float_type type, size_t count,
                               size_t block_size, const qk_codebook_4bit *codebook,
                               float *scales) {
    search_all(input, type, count, block_size, codebook, scales);
}

#endif
