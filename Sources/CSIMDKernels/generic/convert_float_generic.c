#pragma STDC FP_CONTRACT OFF

#include "convert_float_element.h"

void qk_convert_float_generic(const void *in, qk_float_type in_type, size_t count, void *out,
                              qk_float_type out_type, qk_convert_counts *counts) {
    *counts = (qk_convert_counts){0};
    if (in_type == out_type) {
        if (count > 0)
            memcpy(out, in, count * qk_float_size(in_type));
        return;
    }
    qk_convert_range(in, in_type, 0, count, out, out_type, counts);
}
