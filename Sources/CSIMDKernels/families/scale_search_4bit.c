#include "qk_scale_search_4bit.h"
#include "qk_features.h"

#define QK_VARIANT(name, instruction_set, features)                                                \
    qk_scale_search_4bit_fn qk_scale_search_4bit_##name;
#include "scale_search_4bit.inc"
#undef QK_VARIANT

static const qk_scale_search_4bit_entry entries[] = {
#define QK_VARIANT(name, instruction_set, features)                                                \
    {{#name, #instruction_set, features}, qk_scale_search_4bit_##name},
#include "scale_search_4bit.inc"
#undef QK_VARIANT
};

const qk_scale_search_4bit_entry *qk_scale_search_4bit_entries(size_t *count) {
    *count = sizeof entries / sizeof entries[0];
    return entries;
}
