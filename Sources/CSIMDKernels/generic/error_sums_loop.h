// The sums, the same in every vector variant. A variant includes this file once, after it has defined:
//   TARGET   the attribute that sets its instruction set; INLINE
//   load_8(input, type, x), which widens eight elements to the qk_f32x8 at x
// It then has sum_all.

#include "error_sums_lanes.h"
#include "vector8.h"

// Elements between two looks at the largest error.
enum { CHUNK = 1024 };

/// Returns the first finite pair of start ..< end whose error is `error`.
static inline size_t find_error(const void *x, qk_float_type x_type, const void *y,
                                qk_float_type y_type, size_t start, size_t end, double error) {
    for (size_t i = start; i < end; i++) {
        double d = (double)qk_load(x, x_type, i) - (double)qk_load(y, y_type, i);
        if (qk_magnitude(d) == error)
            return i;
    }
    return end;
}

TARGET INLINE void sum_errors(const char *x, qk_float_type x_type, const char *y,
                              qk_float_type y_type, size_t count, qk_error_sums *sums) {
    size_t x_size = qk_float_size(x_type), y_size = qk_float_size(y_type);
    qk_f64x8 square = {0}, error_square = {0}, error_total = {0}, largest = {0};
    qk_i64x8 magnitude_mask = {0};
    magnitude_mask += INT64_MAX;
    size_t body = count & ~(size_t)7;
    *sums = (qk_error_sums){0};
    for (size_t start = 0; start < body;) {
        size_t end = body - start < CHUNK ? body : start + CHUNK;
        qk_f64x8 largest_error = {0};
        qk_i64x8 finite = {0}; // minus the number of finite pairs
        qk_i32x8 flips = {0}, losses = {0}; // minus the numbers of pairs
        for (size_t i = start; i < end; i += 8) {
            qk_f32x8 x_narrow, y_narrow;
            load_8(x + i * x_size, x_type, &x_narrow);
            load_8(y + i * y_size, y_type, &y_narrow);
            qk_i32x8 is_absent = ((qk_u32x8)x_narrow << 1) == 0;
            qk_i32x8 is_zero = ((qk_u32x8)y_narrow << 1) == 0;
            losses += is_zero & ~is_absent;
            flips += (((qk_i32x8)x_narrow ^ (qk_i32x8)y_narrow) < 0) & ~(is_zero | is_absent);
            qk_f64x8 wide = __builtin_convertvector(x_narrow, qk_f64x8);
            qk_f64x8 d = wide - __builtin_convertvector(y_narrow, qk_f64x8);
            // The others count as zeros, which change no sum.
            qk_i64x8 mask = (d - d) == 0.0;
            finite += mask;
            wide = (qk_f64x8)((qk_i64x8)wide & mask & magnitude_mask);
            qk_f64x8 error = (qk_f64x8)((qk_i64x8)d & mask & magnitude_mask);
            square += wide * wide;
            error_square += error * error;
            error_total += error;
            mask = wide > largest;
            largest = (qk_f64x8)(((qk_i64x8)wide & mask) | ((qk_i64x8)largest & ~mask));
            mask = error > largest_error;
            largest_error =
                (qk_f64x8)(((qk_i64x8)error & mask) | ((qk_i64x8)largest_error & ~mask));
        }
        double chunk_largest = 0;
        uint64_t chunk_count = 0;
        for (int l = 0; l < 8; l++) {
            chunk_largest = largest_error[l] > chunk_largest ? largest_error[l] : chunk_largest;
            chunk_count += (uint64_t)-finite[l];
            sums->sign_flip_count += (uint64_t)-flips[l];
            sums->lost_count += (uint64_t)-losses[l];
        }
        if (chunk_largest > sums->error_maximum || (sums->count == 0 && chunk_count > 0)) {
            sums->error_maximum = chunk_largest;
            sums->error_index = find_error(x, x_type, y, y_type, start, end, chunk_largest);
        }
        sums->count += chunk_count;
        sums->non_finite_count += end - start - chunk_count;
        start = end;
    }
    qk_error_lanes lanes;
    for (int l = 0; l < 8; l++) {
        lanes.square[l] = square[l];
        lanes.error_square[l] = error_square[l];
        lanes.error[l] = error_total[l];
        sums->maximum = largest[l] > sums->maximum ? largest[l] : sums->maximum;
    }
    for (size_t i = body; i < count; i++)
        qk_add_error(&lanes, sums, qk_load(x, x_type, i), qk_load(y, y_type, i), i);
    qk_join_lanes(&lanes, sums);
}

/// Compiles the loop for each pair of types and calls the right one.
TARGET INLINE void sum_all(const void *x, qk_float_type x_type, const void *y,
                           qk_float_type y_type, size_t count, qk_error_sums *sums) {
#define SUM(x_type, y_type) sum_errors(x, x_type, y, y_type, count, sums)
#define SUM_BY_DECODED(x_type)                                                                     \
    (y_type == QK_FLOAT32    ? SUM(x_type, QK_FLOAT32)                                             \
     : y_type == QK_BFLOAT16 ? SUM(x_type, QK_BFLOAT16)                                            \
                             : SUM(x_type, QK_FLOAT16))
    if (x_type == QK_FLOAT32)
        SUM_BY_DECODED(QK_FLOAT32);
    else if (x_type == QK_BFLOAT16)
        SUM_BY_DECODED(QK_BFLOAT16);
    else
        SUM_BY_DECODED(QK_FLOAT16);
#undef SUM_BY_DECODED
#undef SUM
}
