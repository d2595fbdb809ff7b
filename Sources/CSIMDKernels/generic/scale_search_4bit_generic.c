#pragma STDC FP_CONTRACT OFF

#include "error_4bit.h"
#include "qk_scale_search_4bit.h"
#include "quantize_4bit_block.h"

#define TARGET
#define INLINE static inline

typedef const qk_codebook_4bit *search_tables;

INLINE search_tables make_search_tables(const qk_codebook_4bit *codebook) { return codebook; }

INLINE float find_absmax(const char *input, qk_float_type type, size_t count) {
    return qk_absmax_value(qk_absmax_bits(input, type, 0, count));
}

INLINE float block_error(const char *input, qk_float_type type, size_t count, float power, float a,
                         const search_tables *tables, int magnitude_rule) {
    (void)magnitude_rule; // the code table knows it
    float lanes[16] = {0}, reciprocal = 1.0f / a;
    for (size_t i = 0; i < count; i++) {
        float x = qk_load(input, type, i) * power;
        float d = x - (*tables)->values[qk_code_4bit(*tables, x * reciprocal)] * a;
        lanes[i % 16] += d * d;
    }
    return qk_join_error_4bit(lanes);
}

#include "scale_search_4bit_loop.h"

void qk_scale_search_4bit_generic(const void *input, qk_float_type type, size_t count,
                                  size_t block_size, const qk_codebook_4bit *codebook,
                                  float *scales) {
    search_all(input, type, count, block_size, codebook, scales);
}
