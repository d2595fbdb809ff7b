#include "qk_features.h"
#include "qk_multiply.h"

// Codes of 8 bits are exact in bfloat16: the functions of float32, with rounded rows.

#define QK_VARIANT(name, instruction_set, features, packing, rows)                                 \
    qk_multiply_fn qk_multiply_8bit_float32_##name;
#include "multiply_8bit_bfloat16.inc"
#undef QK_VARIANT

static const qk_multiply_entry entries[] = {
#define QK_VARIANT(name, instruction_set, features, packing, rows)                                 \
    {{#name, #instruction_set, features}, packing, rows, qk_multiply_8bit_float32_##name},
#include "multiply_8bit_bfloat16.inc"
#undef QK_VARIANT
};

const qk_multiply_entry *qk_multiply_8bit_bfloat16_entries(size_t *count) {
    *count = sizeof entries / sizeof entries[0];
    return entries;
}
