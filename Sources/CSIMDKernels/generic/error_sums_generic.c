#pragma STDC FP_CONTRACT OFF

#include "error_sums_lanes.h"

void qk_error_sums_generic(const void *x, qk_float_type x_type, const void *y,
                           qk_float_type y_type, size_t count, qk_error_sums *sums) {
    qk_error_lanes lanes = {0};
    *sums = (qk_error_sums){0};
    for (size_t i = 0; i < count; i++)
        qk_add_error(&lanes, sums, qk_load(x, x_type, i), qk_load(y, y_type, i), i);
    qk_join_lanes(&lanes, sums);
}
