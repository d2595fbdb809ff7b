#include "qk_dequantize_8bit.h"
#include "qk_features.h"

#define QK_VARIANT(name, instruction_set, features)                                                \
    qk_dequantize_8bit_fn qk_dequantize_8bit_##name;
#include "dequantize_8bit.inc"
#undef QK_VARIANT

static const qk_dequantize_8bit_entry entries[] = {
#define QK_VARIANT(name, instruction_set, features)                                                \
    {{#name, #instruction_set, features}, qk_dequantize_8bit_##name},
#include "dequantize_8bit.inc"
#undef QK_VARIANT
};

const qk_dequantize_8bit_entry *qk_dequantize_8bit_entries(size_t *count) {
    *count = sizeof entries / sizeof entries[0];
    return entries;
}
