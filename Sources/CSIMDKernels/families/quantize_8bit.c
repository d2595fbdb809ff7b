#include "qk_quantize_8bit.h"
#include "qk_features.h"

#define QK_VARIANT(name, instruction_set, features)                                                \
    qk_quantize_8bit_fn qk_quantize_8bit_##name;
#include "quantize_8bit.inc"
#undef QK_VARIANT

static const qk_quantize_8bit_entry entries[] = {
#define QK_VARIANT(name, instruction_set, features)                                                \
    {{#name, #instruction_set, features}, qk_quantize_8bit_##name},
#include "quantize_8bit.inc"
#undef QK_VARIANT
};

const qk_quantize_8bit_entry *qk_quantize_8bit_entries(size_t *count) {
    *count = sizeof entries / sizeof entries[0];
    return entries;
}
