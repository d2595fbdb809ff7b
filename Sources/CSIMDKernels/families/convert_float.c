#include "qk_convert_float.h"
#include "qk_features.h"

#define QK_VARIANT(name, instruction_set, features)                                                \
    qk_convert_float_fn qk_convert_float_##name;
#include "convert_float.inc"
#undef QK_VARIANT

static const qk_convert_float_entry entries[] = {
#define QK_VARIANT(name, instruction_set, features)                                                \
    {{#name, #instruction_set, features}, qk_convert_float_##name},
#include "convert_float.inc"
#undef QK_VARIANT
};

const qk_convert_float_entry *qk_convert_float_entries(size_t *count) {
    *count = sizeof entries / sizeof entries[0];
    return entries;
}
