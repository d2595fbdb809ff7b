#pragma STDC FP_CONTRACT OFF

#include "avx512_bf16.h"

#include "multiply_4bit_transposed_avx512.h"

#if defined(__x86_64__)

#define UNROLL _Pragma("GCC unroll 8")

/// Pairs of rows in a panel, and panels whose pairs fill the scratch memory.
enum { PAIRS = QK_PANEL_ROWS / 2, PANELS = 2 * PANELS_AT_ONCE };

/// The 16 values times the scale of one row, then times that of another, in bfloat16.
AVX512 INLINE __m512i pair_table(__m512 values, const float *scales, size_t lower, size_t upper) {
    __m512i one = _mm512_castps_si512(_mm512_mul_ps(values, _mm512_set1_ps(scales[lower])));
    __m512i two = _mm512_castps_si512(_mm512_mul_ps(values, _mm512_set1_ps(scales[upper])));
    return _mm512_inserti64x4(_mm512_castsi256_si512(narrow_bf16_avx512(one)),
                              narrow_bf16_avx512(two), 1);
}

/// Decodes the tile's part of a panel to [8 pairs of rows][64 columns] dwords, the lower row of a pair
/// in the lower half, 16 columns at a time. One look-up in a table of 32 finds both.
AVX512 INLINE void decode_pairs(const qk_packed_weight *w, const panel_part *part, uint32_t *out) {
    const __m512 values = _mm512_loadu_ps(w->values);
    const __m512i low = code_shifts(), high = _mm512_add_epi32(low, _mm512_set1_epi32(16));
    const __m512i lower_half = _mm512_set1_epi32(0xffff), nibbles = _mm512_set1_epi32(0x000f000f);
    const __m512i second = _mm512_set1_epi32(0x00100000);
    for (size_t pair = 0; pair < PAIRS; pair++, out += QK_COLUMN_TILE) {
        const size_t lower = pair / 4 * 8 + pair % 4, upper = lower + 4;
        const float *scales = NULL;
        __m512i table = _mm512_setzero_si512();
        for (size_t eight = 0; eight < EIGHTS; eight += 2) {
            __m512i front = _mm512_loadu_si512(part->codes[eight]);
            __m512i back = _mm512_loadu_si512(part->codes[eight + 1]);
            __m512i one = _mm512_permutex2var_epi32(front, places_of_row((int)lower), back);
            __m512i two = _mm512_permutex2var_epi32(front, places_of_row((int)upper), back);
            one = _mm512_srlv_epi32(one, low);
            two = _mm512_rorv_epi32(two, high);
            // The lower half of one, the upper of two; then their nibbles, and the second table's bit.
            __m512i index = _mm512_ternarylogic_epi32(lower_half, one, two, 0xca);
            index = _mm512_ternarylogic_epi32(index, nibbles, second, 0xea);
            if (part->scales[eight] != scales) {
                scales = part->scales[eight];
                table = pair_table(values, scales, lower, upper);
            }
            __m512i elements = _mm512_permutexvar_epi16(index, table);
            if (part->scales[eight + 1] != scales) {
                scales = part->scales[eight + 1];
                table = pair_table(values, scales, lower, upper);
                elements = _mm512_mask_permutexvar_epi16(elements, 0xffff0000, index, table);
            }
            _mm512_store_si512(out + eight * 8, elements);
        }
    }
}

/// `rows` rows of gradients and the pairs of rows of the weight from `first` up to `end`.
AVX512 INLINE void multiply_tile(const qk_multiply_transposed_arguments *a, size_t tile,
                                 int rows, size_t first, size_t end) {
    const size_t left = a->weight.k - a->first_column;
    float *dx = a->dx + tile * a->tile_rows * a->dx_stride + a->first_column;
    const uint32_t *dy = (const uint32_t *)((const char *)a->dy + tile * a->tile_stride);
    dy += first * (size_t)rows;
    const uint32_t *weights = a->scratch;
    __m512 sums[QK_GRADIENT_ROWS][VECTORS];
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < VECTORS; v++) {
        float *old = dx + (size_t)r * a->dx_stride + v * LANES;
        sums[r][v] = first > 0 || a->accumulates
                         ? _mm512_maskz_loadu_ps(first16(left, (size_t)v * LANES), old)
                         : _mm512_setzero_ps();
    }
    for (size_t pair = first; pair < end; pair++) {
        PREFETCH_NEXT_TILE(a, dy);
        __m512bh elements[VECTORS];
        UNROLL for (int v = 0; v < VECTORS; v++) elements[v] =
            (__m512bh)_mm512_load_si512(weights + v * LANES);
        UNROLL for (int r = 0; r < rows; r++) {
            __m512bh factors = (__m512bh)_mm512_set1_epi32((int)dy[r]);
            UNROLL for (int v = 0; v < VECTORS; v++) sums[r][v] =
                _mm512_dpbf16_ps(sums[r][v], elements[v], factors);
        }
        weights += QK_COLUMN_TILE;
        dy += rows;
    }
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < VECTORS; v++)
        _mm512_mask_storeu_ps(dx + (size_t)r * a->dx_stride + v * LANES,
                              first16(left, (size_t)v * LANES), sums[r][v]);
}

AVX512 void qk_multiply_4bit_transposed_bfloat16_avx512_bf16(
    const qk_multiply_transposed_arguments *a) {
    const qk_packed_weight *w = &a->weight;
    // Activations have pairs up to a multiple of eight rows, the weight up to one of 16.
    const size_t pairs = (w->n + 7) / 8 * 4, chunk = PANELS * PAIRS;
    for (size_t first = 0; first < pairs; first += chunk) {
        size_t end = pairs - first < chunk ? pairs : first + chunk;
        uint32_t *elements = a->scratch;
        for (size_t pair = first; pair < end; pair += PAIRS, elements += PAIRS * QK_COLUMN_TILE) {
            panel_part part = part_of_panel(w, a->first_column, pair / PAIRS);
            decode_pairs(w, &part, elements);
        }
        for (size_t tile = 0; tile * a->tile_rows < a->rows; tile++) {
            size_t left = a->rows - tile * a->tile_rows;
            switch (left < a->tile_rows ? left : a->tile_rows) {
            case 6: multiply_tile(a, tile, 6, first, end); break;
            case 5: multiply_tile(a, tile, 5, first, end); break;
            case 4: multiply_tile(a, tile, 4, first, end); break;
            case 3: multiply_tile(a, tile, 3, first, end); break;
            case 2: multiply_tile(a, tile, 2, first, end); break;
            default: multiply_tile(a, tile, 1, first, end); break;
            }
        }
    }
}

#endif
