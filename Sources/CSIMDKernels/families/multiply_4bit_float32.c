#include "qk_features.h"
#include "qk_multiply.h"

#define QK_VARIANT(name, instruction_set, features, packing, rows)                                 \
    qk_multiply_fn qk_multiply_4bit_float32_##name;
#include "multiply_4bit_float32.inc"
#undef QK_VARIANT

static const qk_multiply_entry entries[] = {
#define QK_VARIANT(name, instruction_set, features, packing, rows)                                 \
    {{#name, #instruction_set, features}, packing, rows, qk_multiply_4bit_float32_##name},
#include "multiply_4bit_float32.inc"
#undef QK_VARIANT
};

const qk_multiply_entry *qk_multiply_4bit_float32_entries(size_t *count) {
    *count = sizeof entries / sizeof entries[0];
    return entries;
}
