#ifndef QK_ERROR_SUMS_LANES_H
#define QK_ERROR_SUMS_LANES_H

#include "float_convert.h"
#include "qk_error_sums.h"

// What the variants share: the partial sums and how they are joined.

/// Partial sum number l takes the elements i with i % 8 == l.
typedef struct {
    double square[8], error_square[8], error[8];
} qk_error_lanes;

static inline double qk_sum_lanes(const double *lanes) {
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
           ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

static inline double qk_magnitude(double value) { return __builtin_fabs(value); }

/// Compares the signs of one pair; NaN has one, too.
static inline void qk_count_sign(qk_error_sums *sums, float x, float y) {
    uint32_t x_bits = qk_bits_of(x), y_bits = qk_bits_of(y);
    int is_present = x_bits << 1 != 0, is_lost = is_present && y_bits << 1 == 0;
    sums->lost_count += (uint64_t)is_lost;
    sums->sign_flip_count += (uint64_t)(is_present && !is_lost && (x_bits ^ y_bits) >> 31);
}

/// Adds one pair.
static inline void qk_add_error(qk_error_lanes *lanes, qk_error_sums *sums, float x_element,
                                float y_element, size_t i) {
    qk_count_sign(sums, x_element, y_element);
    double x = x_element, d = x - (double)y_element;
    if (d - d != 0.0) {
        sums->non_finite_count++;
        return;
    }
    double error = qk_magnitude(d);
    lanes->square[i % 8] += x * x;
    lanes->error_square[i % 8] += d * d;
    lanes->error[i % 8] += error;
    sums->maximum = qk_magnitude(x) > sums->maximum ? qk_magnitude(x) : sums->maximum;
    if (error > sums->error_maximum || sums->count == 0) {
        sums->error_maximum = error;
        sums->error_index = i;
    }
    sums->count++;
}

static inline void qk_join_lanes(const qk_error_lanes *lanes, qk_error_sums *sums) {
    sums->square_sum = qk_sum_lanes(lanes->square);
    sums->error_square_sum = qk_sum_lanes(lanes->error_square);
    sums->error_sum = qk_sum_lanes(lanes->error);
}

#endif
