#ifndef CASES_H
#define CASES_H

#include "CSIMDKernels.h"
#include <stddef.h>
#include <stdint.h>

/// A buffer between two pages that must not be touched.
typedef struct {
    char *inner;
    size_t capacity;
} guarded_buffer;

guarded_buffer make_guarded_buffer(size_t capacity);

/// Returns `size` bytes of the buffer that touch the page in front of it or behind it.
void *guarded_bytes(const guarded_buffer *buffer, size_t size, int at_front);

/// A generator with the same numbers on every machine.
typedef struct {
    uint64_t state;
} generator;

uint32_t next_random(generator *random);

/// The arguments of one comparison.
typedef struct {
    size_t count, block_size, row_count, column_count;
    qk_float_type type, other_type;
    int streaming, with_scales;
    const qk_codebook_4bit *codebook_4bit;
    const qk_codebook_8bit *codebook_8bit;
    const void *input;  // count elements of `type`
    const void *other;  // count elements of `other_type`
    const void *codes;  // count bytes
    const float *scales; // count values
} test_case;

/// Makes cases; the same ones for every variant.
typedef struct case_maker case_maker;

case_maker *make_case_maker(void);
void make_case(case_maker *maker, uint64_t seed, test_case *result);

/// The largest `count` of a case.
enum { MAX_COUNT = 9000 };

#endif
