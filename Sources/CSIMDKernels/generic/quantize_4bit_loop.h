// The loop over blocks, the same in every vector variant. A variant includes this file once, after
// it has defined:
//   TARGET        the attribute that sets its instruction set; INLINE
//   GROUP         the elements it quantizes together; even
//   search_tables the code table in its own form, made by make_tables(codebook)
//   find_absmax(input, type, count)
//   quantize_group(input, type, count, factor, tables, magnitude_rule, codes), which scales by
//                 multiplication; with QK_PARTIAL_GROUPS for every count up to GROUP, without for
//                 GROUP only
// It then has quantize_all.

#include "constant_type.h"
#include "quantize_4bit_block.h"

TARGET INLINE void quantize_one_block(const char *input, qk_float_type type, size_t count,
                                      const qk_codebook_4bit *codebook,
                                      const search_tables *tables, int magnitude_rule, float a,
                                      uint8_t *codes) {
    float factor;
    if (qk_block_scaling(a, &factor) != QK_SCALE_MULTIPLY) {
        qk_quantize_4bit_block(input, type, 0, count, codebook, a, codes);
        return;
    }
    size_t size = qk_float_size(type), i = 0;
    for (; i + GROUP <= count; i += GROUP)
        quantize_group(input + i * size, type, GROUP, factor, tables, magnitude_rule,
                       codes + i / 2);
    if (i == count)
        return;
#if defined(QK_PARTIAL_GROUPS)
    quantize_group(input + i * size, type, count - i, factor, tables, magnitude_rule,
                   codes + i / 2);
#else
    // The zeros behind the end get the code of 0.
    char padded[GROUP * 4] = {0};
    uint8_t packed[GROUP / 2];
    memcpy(padded, input + i * size, (count - i) * size);
    quantize_group(padded, type, GROUP, factor, tables, magnitude_rule, packed);
    memcpy(codes + i / 2, packed, (count - i + 1) / 2);
#endif
}

// The scales of several small blocks are found before the first is quantized: their chains of
// dependent instructions are long and overlap this way.
enum { BATCH_ELEMENTS = 1024, BATCH_BLOCKS = 32 };

TARGET INLINE void quantize_blocks(const char *input, qk_float_type type, size_t count,
                                   size_t block_size, const qk_codebook_4bit *codebook,
                                   int magnitude_rule, const float *scales, uint8_t *codes,
                                   float *absmax) {
    search_tables tables = make_tables(codebook);
    size_t size = qk_float_size(type), batch_count = BATCH_ELEMENTS / block_size;
    batch_count = batch_count < 1 ? 1 : batch_count > BATCH_BLOCKS ? BATCH_BLOCKS : batch_count;
    float batch[BATCH_BLOCKS];
    for (size_t start = 0, block = 0; start < count;) {
        size_t found = 0;
        for (size_t end = start; found < batch_count && end < count; found++) {
            size_t length = count - end < block_size ? count - end : block_size;
            batch[found] =
                scales ? scales[block + found] : find_absmax(input + end * size, type, length);
            end += length;
        }
        if (absmax)
            memcpy(absmax + block, batch, found * sizeof(float));
        block += found;
        for (size_t i = 0; i < found; i++) {
            size_t length = count - start < block_size ? count - start : block_size;
            quantize_one_block(input + start * size, type, length, codebook, &tables,
                               magnitude_rule, batch[i], codes + start / 2);
            start += length;
        }
    }
}

/// Compiles the loop for each type and rule and calls the right one.
TARGET INLINE void quantize_all(const void *input, qk_float_type type, size_t count,
                                size_t block_size, const qk_codebook_4bit *codebook,
                                const float *scales, void *codes, float *absmax) {
#define QUANTIZE(type, rule)                                                                       \
    quantize_blocks(input, type, count, block_size, codebook, rule, scales, codes, absmax)
    FOR_CONSTANT_TYPE_AND_FLAG(type, codebook->magnitude_rule, QUANTIZE)
#undef QUANTIZE
}
