#define TARGET
#define INLINE static inline
#include "count_non_finite_loop.h"

size_t qk_count_non_finite_generic(const void *in, qk_float_type type, size_t count) {
    return count_all(in, type, count);
}
