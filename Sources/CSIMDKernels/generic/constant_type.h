#ifndef QK_CONSTANT_TYPE_H
#define QK_CONSTANT_TYPE_H

#include "qk_types.h"

/// Calls CALL(type) with the type as a constant, so that a loop is compiled for each.
#define FOR_CONSTANT_TYPE(type, CALL)                                                              \
    switch (type) {                                                                                \
    case QK_FLOAT32: CALL(QK_FLOAT32); break;                                                      \
    case QK_BFLOAT16: CALL(QK_BFLOAT16); break;                                                    \
    default: CALL(QK_FLOAT16); break;                                                              \
    }

/// The same with CALL(type, flag).
#define FOR_CONSTANT_TYPE_AND_FLAG(type, flag, CALL)                                               \
    switch (type) {                                                                                \
    case QK_FLOAT32: (flag) ? CALL(QK_FLOAT32, 1) : CALL(QK_FLOAT32, 0); break;                    \
    case QK_BFLOAT16: (flag) ? CALL(QK_BFLOAT16, 1) : CALL(QK_BFLOAT16, 0); break;                 \
    default: (flag) ? CALL(QK_FLOAT16, 1) : CALL(QK_FLOAT16, 0); break;                            \
    }

#endif
