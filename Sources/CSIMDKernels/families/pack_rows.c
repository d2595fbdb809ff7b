#include "qk_pack_rows.h"
#include "qk_features.h"

#define QK_VARIANT(name, instruction_set, features)                                                \
    qk_pack_rows_fn qk_pack_rows_##name;
#include "pack_rows.inc"
#undef QK_VARIANT

static const qk_pack_rows_entry entries[] = {
#define QK_VARIANT(name, instruction_set, features)                                                \
    {{#name, #instruction_set, features}, qk_pack_rows_##name},
#include "pack_rows.inc"
#undef QK_VARIANT
};

const qk_pack_rows_entry *qk_pack_rows_entries(size_t *count) {
    *count = sizeof entries / sizeof entries[0];
    return entries;
}
