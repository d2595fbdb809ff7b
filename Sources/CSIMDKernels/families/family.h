// Defines the list of a family. Each file that includes this, once, has included the family's header and
// defined
//   QK_FAMILY      the family: QK_FAMILY.inc lists the variants as QK_VARIANT(name, instruction set,
//                  required features), followed by what entries hold besides; qk_QK_FAMILY_entries
//                  returns the list
// and, where these are not qk_QK_FAMILY,
//   QK_TYPE        what the names of the types of functions and entries begin with
//   QK_FUNCTION    what the names of the functions begin with, before the variant
// and, to share the list of another family,
//   QK_LIST        its file
// and, if its variants add up in different orders, so that they agree within a bound and not bit for bit,
//   QK_IS_EXACT    0

#include "qk_features.h"

#define QK_JOIN_TWO(a, b) a##b
#define QK_JOIN(a, b) QK_JOIN_TWO(a, b)
#define QK_QUOTE_THIS(text) #text
#define QK_QUOTE(text) QK_QUOTE_THIS(text)
#if !defined(QK_LIST)
#define QK_LIST QK_QUOTE(QK_FAMILY.inc)
#endif

#if !defined(QK_TYPE)
#define QK_TYPE QK_JOIN(qk_, QK_FAMILY)
#endif
#if !defined(QK_FUNCTION)
#define QK_FUNCTION QK_JOIN(qk_, QK_FAMILY)
#endif
#if !defined(QK_IS_EXACT)
#define QK_IS_EXACT 1
#endif
#define QK_ENTRY QK_JOIN(QK_TYPE, _entry)

#define QK_VARIANT(name, ...) QK_JOIN(QK_TYPE, _fn) QK_JOIN(QK_FUNCTION, _##name);
#include QK_LIST
#undef QK_VARIANT

static const QK_ENTRY entries[] = {
#define QK_VARIANT(name, instruction_set, features, ...)                                           \
    {{#name, #instruction_set, features, QK_IS_EXACT},                                             \
     __VA_OPT__(__VA_ARGS__, ) QK_JOIN(QK_FUNCTION, _##name)},
#include QK_LIST
#undef QK_VARIANT
};

const QK_ENTRY *QK_JOIN(QK_JOIN(qk_, QK_FAMILY), _entries)(size_t *count) {
    *count = sizeof entries / sizeof entries[0];
    return entries;
}
