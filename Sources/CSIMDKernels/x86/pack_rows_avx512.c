#pragma STDC FP_CONTRACT OFF

#include "../generic/pack_rows_loop.h"
#include "avx512.h"

#if defined(__x86_64__)

/// Sixteen floats, rounded to bfloat16 in the low halves of the words; NaNs become the quiet one.
AVX512 INLINE __m512i bf16_words(__m512i bits) {
    const __m512i one = _mm512_set1_epi32(1), half = _mm512_set1_epi32(0x7fff);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), one);
    __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(half, odd)), 16);
    __m512 value = _mm512_castsi512_ps(bits);
    __mmask16 is_nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
    return _mm512_mask_mov_epi32(rounded, is_nan, _mm512_set1_epi32(0x7fc0));
}

/// Rows whose dwords are turned into columns at once.
enum { ROWS_AT_ONCE = 16 };

/// Turns the dwords of sixteen vectors into sixteen columns: of pairs, of fours, of 128 bits each.
AVX512 INLINE void transpose(__m512i *v) {
    __m512i twos[16], fours[16];
    _Pragma("GCC unroll 8") for (int i = 0; i < 16; i += 2) {
        twos[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        twos[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
    _Pragma("GCC unroll 4") for (int i = 0; i < 16; i += 4) {
        fours[i] = _mm512_unpacklo_epi64(twos[i], twos[i + 2]);
        fours[i + 1] = _mm512_unpackhi_epi64(twos[i], twos[i + 2]);
        fours[i + 2] = _mm512_unpacklo_epi64(twos[i + 1], twos[i + 3]);
        fours[i + 3] = _mm512_unpackhi_epi64(twos[i + 1], twos[i + 3]);
    }
    _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) {
        __m512i even = _mm512_shuffle_i32x4(fours[i], fours[4 + i], 0x88);
        __m512i odd = _mm512_shuffle_i32x4(fours[i], fours[4 + i], 0xdd);
        __m512i other_even = _mm512_shuffle_i32x4(fours[8 + i], fours[12 + i], 0x88);
        __m512i other_odd = _mm512_shuffle_i32x4(fours[8 + i], fours[12 + i], 0xdd);
        v[i] = _mm512_shuffle_i32x4(even, other_even, 0x88);
        v[4 + i] = _mm512_shuffle_i32x4(odd, other_odd, 0x88);
        v[8 + i] = _mm512_shuffle_i32x4(even, other_even, 0xdd);
        v[12 + i] = _mm512_shuffle_i32x4(odd, other_odd, 0xdd);
    }
}

/// Stores dword i of all rows at out[i * rows]; a vector for each row, at most ROWS_AT_ONCE.
AVX512 INLINE void store_columns(uint32_t *out, size_t rows, __m512i *vectors) {
    if (rows == 1) {
        _mm512_storeu_si512(out, vectors[0]);
        return;
    }
    for (size_t row = rows; row < ROWS_AT_ONCE; row++)
        vectors[row] = _mm512_setzero_si512();
    transpose(vectors);
    size_t i = 0;
    // What stands behind the rows of a column is overwritten by the next ones.
    for (; i * rows + 16 <= 16 * rows; i++)
        _mm512_storeu_si512(out + i * rows, vectors[i]);
    for (; i < 16; i++)
        _mm512_mask_storeu_ps(out + i * rows, first16(rows, 0), _mm512_castsi512_ps(vectors[i]));
}

/// Pairs of elements (0,4) (1,5) (2,6) (3,7) of each eight, 32 elements at a time.
AVX512 INLINE size_t pack_bfloat16_avx512(const float *x, size_t stride, size_t rows, size_t k,
                                          uint32_t *out) {
    const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(4));
    size_t whole = k / 32 * 32;
    for (size_t start = 0; start < whole; start += 32) {
        __m512i pairs[ROWS_AT_ONCE];
        for (size_t row = 0; row < rows; row++) {
            const float *own = x + row * stride + start;
            __m512i low = _mm512_loadu_si512(own), high = _mm512_loadu_si512(own + 16);
            __m512i a = bf16_words(_mm512_permutex2var_epi32(low, first, high));
            __m512i b = bf16_words(_mm512_permutex2var_epi32(low, second, high));
            pairs[row] = _mm512_or_si512(a, _mm512_slli_epi32(b, 16));
        }
        store_columns(out + start / 2 * rows, rows, pairs);
    }
    return whole;
}

/// One run of 64 floats: the same as quantize_run and interleave_codes.
AVX512 INLINE __m512i quantize_run_avx512(const float *x, float *step, int32_t *start) {
    const __m512i sign_less = _mm512_set1_epi32(0x7fffffff);
    __m512i largest = _mm512_setzero_si512();
    _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) largest = _mm512_max_epu32(
        largest, _mm512_and_si512(_mm512_loadu_si512(x + 16 * i), sign_less));
    uint32_t bits = _mm512_reduce_max_epu32(largest);
    *start = 0;
    if (bits >= 0x7f800000 || bits < qk_bits_of(QK_INT8_LEAST)) {
        *step = bits >= 0x7f800000 ? NAN : 0;
        return _mm512_setzero_si512();
    }
    float magnitude = qk_float_of(bits);
    __m512 inverse = _mm512_set1_ps(127 / magnitude);
    __m512i sum = _mm512_setzero_si512(), bytes = _mm512_setzero_si512();
    _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) {
        // Rounds as quantize_run does.
        __m512 scaled = _mm512_mul_ps(_mm512_loadu_ps(x + 16 * i), inverse);
        __m512i shifted = _mm512_castps_si512(_mm512_add_ps(scaled, _mm512_set1_ps(ROUNDER)));
        __m512i codes = _mm512_sub_epi32(shifted, _mm512_set1_epi32((int)qk_bits_of(ROUNDER)));
        sum = _mm512_add_epi32(sum, codes);
        __m128i narrow = _mm512_cvtepi32_epi8(codes);
        bytes = i == 0   ? _mm512_inserti32x4(bytes, narrow, 0)
                : i == 1 ? _mm512_inserti32x4(bytes, narrow, 1)
                : i == 2 ? _mm512_inserti32x4(bytes, narrow, 2)
                         : _mm512_inserti32x4(bytes, narrow, 3);
    }
    __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
    __m128i quarter = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    quarter = _mm_add_epi32(quarter, _mm_shuffle_epi32(quarter, 0x4e));
    quarter = _mm_add_epi32(quarter, _mm_shuffle_epi32(quarter, 0xb1));
    *start = -128 * _mm_cvtsi128_si32(quarter);
    *step = magnitude / 127;
    const __m512i order = _mm512_broadcast_i32x4(
        _mm_setr_epi8(1, 3, 5, 7, 0, 2, 4, 6, 9, 11, 13, 15, 8, 10, 12, 14));
    return _mm512_shuffle_epi8(bytes, order);
}

/// Where all runs are whole.
AVX512 INLINE void pack_int8_avx512(const float *x, size_t stride, size_t rows, size_t k,
                                    uint32_t *out) {
    for (size_t e = 0; e < k; e += QK_INT8_RUN) {
        __m512i codes[ROWS_AT_ONCE];
        for (size_t row = 0; row < rows; row++) {
            int32_t start;
            float step;
            codes[row] = quantize_run_avx512(x + row * stride + e, &step, &start);
            out[row] = (uint32_t)start;
            out[rows + row] = qk_bits_of(step);
        }
        store_columns(out + 2 * rows, rows, codes);
        out += rows * (2 + QK_INT8_RUN / 4);
    }
}

AVX512 void qk_pack_rows_avx512(const float *x, size_t stride, size_t rows, size_t k, size_t group,
                                qk_row_packing packing, void *packed) {
    size_t done = 0;
    if (rows <= ROWS_AT_ONCE && packing == QK_ROWS_INT8 && group % QK_INT8_RUN == 0) {
        pack_int8_avx512(x, stride, rows, k, packed);
        return;
    }
    if (rows <= ROWS_AT_ONCE && packing == QK_ROWS_BFLOAT16)
        done = pack_bfloat16_avx512(x, stride, rows, k, packed);
    if (done < k)
        pack_rows(x + done, stride, rows, k - done, group, packing,
                  (uint32_t *)packed + done / 2 * rows);
}

#endif
