// Products with 4-bit weights of 16 rows in a register; after multiply_avx512.h. A file that includes this
// defines
//   activation         what eight columns of a row have ACTIVATIONS of
//   code_table, make_table(values)
//   add_eight(table, codes, x, rows, sums)   adds the products of eight columns and `rows` rows to their sums
// It then has multiply_rows(a, rows), of which one vector of weights, decoded in registers, serves all rows:
// the look-ups run on ports that the products leave free.

/// The most groups of columns at once. A row or two have too few sums: one would wait for the other's end.
enum { MOST_GROUPS = 4 };

/// Adds `count` groups of `steps` times eight columns to the totals of a panel.
AVX512 INLINE void add_groups(code_table table, const uint8_t *codes, const float *scales,
                              const activation *x, size_t steps, int count, int rows,
                              __m512 *totals) {
    __m512 sums[MOST_GROUPS][QK_TILE_ROWS];
    UNROLL for (int g = 0; g < count; g++) UNROLL for (int row = 0; row < rows; row++)
        sums[g][row] = _mm512_setzero_ps();
    for (size_t step = 0; step < steps; step++)
        UNROLL for (int g = 0; g < count; g++) {
            // In the order of memory, whatever the order of use.
            prefetch_codes(codes + 64 * (step * (size_t)count + (size_t)g), rows);
            size_t eight = (size_t)g * steps + step;
            add_eight(table, codes + 64 * eight, x + eight * (size_t)(ACTIVATIONS * rows), rows,
                      sums[g]);
        }
    UNROLL for (int g = 0; g < count; g++) {
        __m512 scale = _mm512_loadu_ps(scales + g * QK_PANEL_ROWS);
        UNROLL for (int row = 0; row < rows; row++) totals[row] =
            _mm512_fmadd_ps(sums[g][row], scale, totals[row]);
    }
}

/// `steps`: the group's steps of eight columns, a constant where that is worth code of its own.
AVX512 INLINE void multiply_groups(const qk_multiply_arguments *a, int rows, size_t steps) {
    const qk_packed_weight *w = &a->weight;
    const code_table table = make_table(w->values);
    const size_t groups = w->k / w->group, most = rows == 1 ? 4 : rows <= 5 ? 2 : 1;
    for (size_t panel = a->first_panel; panel < a->end_panel; panel++) {
        const uint8_t *codes = w->codes + panel * w->k * 8;
        const float *scales = w->scales + panel * groups * QK_PANEL_ROWS;
        const activation *x = a->x;
        __m512 totals[QK_TILE_ROWS];
        UNROLL for (int row = 0; row < rows; row++) totals[row] = _mm512_setzero_ps();
        for (size_t left = groups, count; left > 0; left -= count) {
            // No group remains alone behind four.
            count = left == most + 1 && most > 2 ? most - 1 : left < most ? left : most;
#define ADD_GROUPS(count) add_groups(table, codes, scales, x, steps, count, rows, totals)
            if (most == 4 && count == 4)
                ADD_GROUPS(4);
            else if (most == 4 && count == 3)
                ADD_GROUPS(3);
            else if (most > 1 && count == 2)
                ADD_GROUPS(2);
            else
                ADD_GROUPS(1);
#undef ADD_GROUPS
            codes += 64 * steps * count;
            scales += QK_PANEL_ROWS * count;
            x += (size_t)(ACTIVATIONS * rows) * steps * count;
        }
        store_panel(a, panel, totals, rows);
    }
}

AVX512 INLINE void multiply_rows(const qk_multiply_arguments *a, int rows) {
    if (a->weight.group == 64)
        multiply_groups(a, rows, 8);
    else
        multiply_groups(a, rows, a->weight.group / 8);
}
