#ifndef QK_PACK_ROWS_LOOP_H
#define QK_PACK_ROWS_LOOP_H

#include "bfloat16_bits.h"
#include "float_convert.h"
#include "qk_pack_rows.h"
#include <math.h>
#include <string.h>

// The loops of every variant, which compilers turn into the vectors of its instructions. They take a
// few columns of all rows at a time, so that what they write stays in the nearest cache.

#define QK_INLINE static inline __attribute__((always_inline))

/// Columns at a time.
enum { COLUMNS = QK_INT8_RUN };

/// Reads `count` floats, zeros up to COLUMNS.
QK_INLINE void load_columns(const float *x, size_t count, uint32_t *bits) {
    if (count == COLUMNS) {
        for (size_t e = 0; e < COLUMNS; e++)
            bits[e] = qk_bits_of(x[e]);
        return;
    }
    memset(bits, 0, COLUMNS * 4);
    memcpy(bits, x, count * 4);
}

/// Writes `count` dwords, `rows` apart: one store each, which is faster than what compilers make of
/// vectors here.
QK_INLINE void scatter(uint32_t *out, size_t rows, const uint32_t *dwords, size_t count) {
    _Pragma("clang loop vectorize(disable) unroll_count(8)") for (size_t i = 0; i < count; i++)
        out[i * rows] = dwords[i];
}

QK_INLINE void pack_float32(const float *x, size_t stride, size_t rows, size_t k, uint32_t *out,
                            int rounds) {
    for (size_t first = 0; first < k; first += COLUMNS) {
        size_t count = k - first < COLUMNS ? k - first : COLUMNS;
        for (size_t row = 0; row < rows; row++) {
            uint32_t bits[COLUMNS];
            load_columns(x + row * stride + first, count, bits);
            if (rounds)
                for (size_t e = 0; e < COLUMNS; e++)
                    bits[e] = qk_bf16_bits(bits[e]) << 16;
            scatter(out + first * rows + row, rows, bits, count);
        }
    }
}

QK_INLINE void pack_bfloat16(const float *x, size_t stride, size_t rows, size_t k, uint32_t *out) {
    for (size_t first = 0; first < k; first += COLUMNS) {
        size_t count = k - first < COLUMNS ? k - first : COLUMNS;
        for (size_t row = 0; row < rows; row++) {
            uint32_t bits[COLUMNS], pairs[COLUMNS / 2];
            load_columns(x + row * stride + first, count, bits);
            for (size_t e = 0; e < COLUMNS; e++)
                bits[e] = qk_bf16_bits(bits[e]);
            for (size_t eight = 0; eight < COLUMNS; eight += 8)
                for (size_t i = 0; i < 4; i++)
                    pairs[eight / 2 + i] = bits[eight + i] | bits[eight + 4 + i] << 16;
            scatter(out + first / 2 * rows + row, rows, pairs, (count + 7) / 8 * 4);
        }
    }
}

// Adding and taking away 1.5 * 2^23 rounds to an integer, ties to even, in every instruction set; the
// low bits of the sum are that integer.
#define ROUNDER 12582912.0f

/// Quantizes QK_INT8_RUN floats; returns the step and -128 times the sum.
QK_INLINE float quantize_run(const uint32_t *x, int32_t *codes, int32_t *start) {
    uint32_t largest = 0;
    for (size_t e = 0; e < QK_INT8_RUN; e++) {
        uint32_t magnitude = x[e] & 0x7fffffff;
        largest = magnitude > largest ? magnitude : largest;
    }
    *start = 0;
    if (largest >= 0x7f800000 || largest < qk_bits_of(QK_INT8_LEAST)) {
        memset(codes, 0, QK_INT8_RUN * 4);
        return largest >= 0x7f800000 ? NAN : 0;
    }
    float magnitude = qk_float_of(largest), inverse = 127 / magnitude;
    int32_t sum = 0;
    for (size_t e = 0; e < QK_INT8_RUN; e++) {
        float scaled = qk_float_of(x[e]) * inverse;
        codes[e] = (int32_t)(qk_bits_of(scaled + ROUNDER) - qk_bits_of(ROUNDER));
        sum += codes[e];
    }
    *start = -128 * sum;
    return magnitude / 127;
}

/// Returns bytes 0 2 4 6 of eight.
QK_INLINE uint32_t every_other_byte(uint64_t eight) {
    eight &= 0x00ff00ff00ff00ff;
    eight = (eight | eight >> 8) & 0x0000ffff0000ffff;
    return (uint32_t)(eight | eight >> 16);
}

/// Packs the codes of a run as two dwords for each eight: 1 3 5 7 and 0 2 4 6.
QK_INLINE void interleave_codes(const int32_t *codes, uint32_t *dwords) {
    int8_t bytes[QK_INT8_RUN];
    uint64_t eights[QK_INT8_RUN / 8];
    for (size_t e = 0; e < QK_INT8_RUN; e++)
        bytes[e] = (int8_t)codes[e];
    memcpy(eights, bytes, sizeof eights);
    for (size_t i = 0; i < QK_INT8_RUN / 8; i++) {
        dwords[2 * i] = every_other_byte(eights[i] >> 8);
        dwords[2 * i + 1] = every_other_byte(eights[i]);
    }
}

QK_INLINE void pack_int8(const float *x, size_t stride, size_t rows, size_t k, size_t group,
                         uint32_t *out) {
    for (size_t first = 0; first < k; first += group) {
        for (size_t e = 0; e < group; e += QK_INT8_RUN) {
            size_t count = group - e < QK_INT8_RUN ? group - e : QK_INT8_RUN;
            for (size_t row = 0; row < rows; row++) {
                uint32_t bits[QK_INT8_RUN], dwords[QK_INT8_RUN / 4];
                int32_t codes[QK_INT8_RUN], start;
                load_columns(x + row * stride + first + e, count, bits);
                float step = quantize_run(bits, codes, &start);
                interleave_codes(codes, dwords);
                out[row] = (uint32_t)start;
                out[rows + row] = qk_bits_of(step);
                scatter(out + 2 * rows + row, rows, dwords, count / 4);
            }
            out += rows * (2 + count / 4);
        }
    }
}

QK_INLINE void pack_rows(const float *x, size_t stride, size_t rows, size_t k, size_t group,
                         qk_row_packing packing, void *packed) {
    switch (packing) {
    case QK_ROWS_ROUNDED: pack_float32(x, stride, rows, k, packed, 1); break;
    case QK_ROWS_BFLOAT16: pack_bfloat16(x, stride, rows, k, packed); break;
    case QK_ROWS_INT8: pack_int8(x, stride, rows, k, group, packed); break;
    default: pack_float32(x, stride, rows, k, packed, 0); break;
    }
}

#endif
