#include "qk_error_sums.h"
#include "qk_features.h"

#define QK_VARIANT(name, instruction_set, features)                                                \
    qk_error_sums_fn qk_error_sums_##name;
#include "error_sums.inc"
#undef QK_VARIANT

static const qk_error_sums_entry entries[] = {
#define QK_VARIANT(name, instruction_set, features)                                                \
    {{#name, #instruction_set, features}, qk_error_sums_##name},
#include "error_sums.inc"
#undef QK_VARIANT
};

const qk_error_sums_entry *qk_error_sums_entries(size_t *count) {
    *count = sizeof entries / sizeof entries[0];
    return entries;
}
