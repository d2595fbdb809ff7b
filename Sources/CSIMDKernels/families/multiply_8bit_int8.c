#include "qk_features.h"
#include "qk_multiply.h"

#define QK_VARIANT(name, instruction_set, features, packing, rows)                                 \
    qk_multiply_fn qk_multiply_8bit_int8_##name;
#include "multiply_8bit_int8.inc"
#undef QK_VARIANT

static const qk_multiply_entry entries[] = {
#define QK_VARIANT(name, instruction_set, features, packing, rows)                                 \
    {{#name, #instruction_set, features}, packing, rows, qk_multiply_8bit_int8_##name},
#include "multiply_8bit_int8.inc"
#undef QK_VARIANT
};

const qk_multiply_entry *qk_multiply_8bit_int8_entries(size_t *count) {
    *count = sizeof entries / sizeof entries[0];
    return entries;
}
