#ifndef QK_MULTIPLY_4BIT_TRANSPOSED_AVX512_H
#define QK_MULTIPLY_4BIT_TRANSPOSED_AVX512_H

#include "../generic/multiply_transposed_loop.h"
#include "../generic/panel_4bit.h"
#include "avx512.h"

#if defined(__x86_64__)

/// Shifts that bring the code of each lane's column to the low bits of its dword of eight: the first
/// code of a byte is the high nibble.
AVX512 INLINE __m512i code_shifts(void) {
    return _mm512_setr_epi32(4, 0, 12, 8, 20, 16, 28, 24, 4, 0, 12, 8, 20, 16, 28, 24);
}

/// The places of a row's dwords in two lines of 16 rows: 8 lanes with that of the first, 8 with that of
/// the second.
AVX512 INLINE __m512i places_of_row(int row) {
    return _mm512_add_epi32(_mm512_set1_epi32(row),
                            _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 16, 16, 16, 16, 16, 16, 16, 16));
}

#endif
#endif
