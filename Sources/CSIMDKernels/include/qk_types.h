#ifndef QK_TYPES_H
#define QK_TYPES_H

#include <stdint.h>

/// Element types of float buffers. bfloat16 and float16 are 2 bytes an element. Reading widens
/// exactly to float32 (a float16 NaN becomes quiet); writing rounds to nearest, ties to even, keeps
/// subnormal results, and gives infinity where a finite value is too large.
typedef uint32_t qk_float_type;
enum {
    QK_FLOAT32 = 0,
    QK_BFLOAT16 = 1,
    QK_FLOAT16 = 2,
};

/// Returns the bytes of one element.
static inline uint32_t qk_float_size(qk_float_type type) { return type == QK_FLOAT32 ? 4 : 2; }

/// fl(1 / 127): what 8-bit codes with one scale a row are multiples of, in units of that scale.
#define QK_INT8_UNIT 0.007874015718698502f

/// What every entry of a family's list begins with.
typedef struct {
    const char *name;            // unique in the family, e.g. "avx512vbmi"
    const char *instruction_set; // what QUANT_KERNEL calls it: generic, avx2, avx512 or neon
    uint32_t features;           // bits of qk_features.h that the host must have
    int is_exact;                // gives the same bits as every other exact variant of its family
} qk_variant;

#endif
