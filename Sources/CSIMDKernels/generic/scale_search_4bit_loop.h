// The search, the same in every variant. A variant includes this file once, after it has defined:
//   TARGET, INLINE
//   search_tables  the code table in its own form, made by make_search_tables(codebook)
//   find_absmax(input, type, count)
//   block_error(input, type, count, power, a, tables, magnitude_rule), which returns E for the
//                  elements times `power` and the scale `a`
// It then has search_all.

#include "constant_type.h"
#include "block_scaling.h"
#include "qk_scale_search_4bit.h"

// Factors are counted in units of 1/256. First a grid from 11/16 to 17/16 in steps of 1/16, then
// both neighbours of the best so far at half the distance, three times.
enum { FACTOR_ONE = 256, COARSE_STEP = 16, COARSE_FIRST = 176, COARSE_LAST = 272, FINE_STEP = 2 };

TARGET INLINE void try_factor(const char *input, qk_float_type type, size_t count, float power,
                              float a, const search_tables *tables, int magnitude_rule, int factor,
                              int *best, float *least) {
    float scaled = a * ((float)factor * (1.0f / FACTOR_ONE));
    float error = block_error(input, type, count, power, scaled, tables, magnitude_rule);
    if (error < *least) {
        *least = error;
        *best = factor;
    }
}

/// Returns the scale of a block with the largest magnitude `a`.
TARGET INLINE float search_block(const char *input, qk_float_type type, size_t count, float a,
                                 const search_tables *tables, int magnitude_rule) {
    uint32_t exponent = qk_bits_of(a) >> 23;
    if (exponent < 27 || exponent >= 227)
        return a;
    float power = qk_float_of((254 - exponent) << 23), unit = a * power;
    float least = block_error(input, type, count, power, unit, tables, magnitude_rule);
    int best = FACTOR_ONE;
#define TRY(factor)                                                                                \
    try_factor(input, type, count, power, unit, tables, magnitude_rule, factor, &best, &least)
    for (int factor = COARSE_FIRST; factor <= COARSE_LAST; factor += COARSE_STEP)
        if (factor != FACTOR_ONE)
            TRY(factor);
    for (int step = COARSE_STEP / 2; step >= FINE_STEP; step /= 2) {
        int center = best;
        TRY(center - step);
        TRY(center + step);
    }
#undef TRY
    // The same rounding as that of unit times the factor: powers of two do not change it.
    return a * ((float)best * (1.0f / FACTOR_ONE));
}

TARGET INLINE void search_blocks(const char *input, qk_float_type type, size_t count,
                                 size_t block_size, const qk_codebook_4bit *codebook,
                                 int magnitude_rule, float *scales) {
    search_tables tables = make_search_tables(codebook);
    size_t size = qk_float_size(type);
    for (size_t block = 0; count > 0; block++) {
        size_t length = count < block_size ? count : block_size;
        float a = find_absmax(input, type, length);
        scales[block] = search_block(input, type, length, a, &tables, magnitude_rule);
        input += length * size;
        count -= length;
    }
}

/// Compiles the loop for each type and rule and calls the right one.
TARGET INLINE void search_all(const void *input, qk_float_type type, size_t count,
                              size_t block_size, const qk_codebook_4bit *codebook, float *scales) {
#define SEARCH(type, rule) search_blocks(input, type, count, block_size, codebook, rule, scales)
    FOR_CONSTANT_TYPE_AND_FLAG(type, codebook->magnitude_rule, SEARCH)
#undef SEARCH
}
