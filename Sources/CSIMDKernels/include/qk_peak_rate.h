#ifndef QK_PEAK_RATE_H
#define QK_PEAK_RATE_H

#include "qk_types.h"
#include <stddef.h>

/// Multiplies and adds in registers, `rounds` times, as fast as the processor can: what products are
/// compared with. Returns a number that depends on all of them.
typedef float qk_peak_rate_fn(size_t rounds);

/// How products round their operands.
enum { QK_PEAK_FLOAT32, QK_PEAK_BFLOAT16, QK_PEAK_INT8 };

typedef struct {
    qk_variant variant;
    int mode;
    qk_peak_rate_fn *function;
    size_t operations; // multiplications and additions of a round
} qk_peak_rate_entry;

/// Returns the loops compiled for this architecture, those of a mode together, the fastest first;
/// bfloat16 and int8 have loops only for processors with instructions of their own for them.
const qk_peak_rate_entry *qk_peak_rate_entries(size_t *count);

#endif
