#ifndef QK_ERROR_4BIT_H
#define QK_ERROR_4BIT_H

// Joins the sixteen partial sums of a block's error.
static inline float qk_join_error_4bit(float *lanes) {
    for (int half = 8; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lanes[l] += lanes[l + half];
    return lanes[0];
}

#endif
