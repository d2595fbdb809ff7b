// The functions of qk_transformer.h; after vector_lanes.h and exponential_lanes.h.

#include "qk_transformer.h"
#include <math.h>

TARGET static void rms_norm(const float *x, const float *weight, size_t rows, size_t n,
                            float epsilon, float *y) {
    for (size_t row = 0; row < rows; row++, x += n, y += n) {
        vec sums[4] = {};
        size_t i = 0;
        for (; i + 4 * LANES <= n; i += 4 * LANES)
            for (int j = 0; j < 4; j++) {
                vec part = load_lanes(x + i + j * LANES);
                sums[j] += part * part;
            }
        float sum = sum_of_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
        for (; i < n; i++)
            sum += x[i] * x[i];
        float factor = 1 / sqrtf(sum / (float)n + epsilon);
        for (i = 0; i + LANES <= n; i += LANES)
            store_lanes(y + i, load_lanes(weight + i) * (load_lanes(x + i) * factor));
        for (; i < n; i++)
            y[i] = weight[i] * (x[i] * factor);
    }
}

INLINE_LANES void rotate_heads(float *x, size_t heads, size_t d, size_t half,
                               const float *cosines, const float *sines) {
    for (size_t head = 0; head < heads; head++, x += d) {
        size_t i = 0;
        for (; i + LANES <= half; i += LANES) {
            vec a = load_lanes(x + i), b = load_lanes(x + half + i);
            vec c = load_lanes(cosines + i), s = load_lanes(sines + i);
            store_lanes(x + i, a * c - b * s);
            store_lanes(x + half + i, b * c + a * s);
        }
        for (; i < half; i++) {
            float a = x[i], b = x[half + i];
            x[i] = a * cosines[i] - b * sines[i];
            x[half + i] = b * cosines[i] + a * sines[i];
        }
    }
}

TARGET static void rotate(float *x, size_t rows, size_t heads, size_t d, size_t half,
                          const float *cosines, const float *sines) {
    for (size_t row = 0; row < rows; row++)
        rotate_heads(x + row * heads * d, heads, d, half, cosines + row * half, sines + row * half);
}

/// The first `count` < LANES numbers, zeros behind them.
INLINE_LANES vec load_some(const float *from, size_t count) {
    vec value = {};
    memcpy(&value, from, count * sizeof(float));
    return value;
}

INLINE_LANES vec gated(vec gate, vec up) { return gate / (exponential_lanes(-gate) + 1.0f) * up; }

TARGET static void gate_silu(float *gate, const float *up, size_t count) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        store_lanes(gate + i, gated(load_lanes(gate + i), load_lanes(up + i)));
    if (i < count) {
        vec result = gated(load_some(gate + i, count - i), load_some(up + i, count - i));
        memcpy(gate + i, &result, (count - i) * sizeof(float));
    }
}

TARGET static void rms_norm_backward(const float *x, const float *weight, const float *dy,
                                     size_t rows, size_t n, float epsilon, float *dx,
                                     float *dweight) {
    for (size_t row = 0; row < rows; row++, x += n, dy += n, dx += n) {
        vec squares = {}, products = {};
        size_t i = 0;
        for (; i + LANES <= n; i += LANES) {
            vec own = load_lanes(x + i);
            squares += own * own;
            products += own * load_lanes(dy + i) * load_lanes(weight + i);
        }
        float square = sum_of_lanes(squares), product = sum_of_lanes(products);
        for (; i < n; i++) {
            square += x[i] * x[i];
            product += x[i] * dy[i] * weight[i];
        }
        float factor = 1 / sqrtf(square / (float)n + epsilon);
        float along = factor * factor * factor * product / (float)n;
        for (i = 0; i + LANES <= n; i += LANES) {
            vec own = load_lanes(x + i), gradient = load_lanes(dy + i);
            vec change = gradient * load_lanes(weight + i) * factor - own * along;
            store_lanes(dx + i, load_lanes(dx + i) + change);
            if (dweight)
                store_lanes(dweight + i, load_lanes(dweight + i) + gradient * own * factor);
        }
        for (; i < n; i++) {
            dx[i] += dy[i] * weight[i] * factor - x[i] * along;
            if (dweight)
                dweight[i] += dy[i] * x[i] * factor;
        }
    }
}

TARGET static void gate_silu_backward(const float *gate, const float *up, const float *dy,
                                      size_t count, float *dgate, float *dup) {
    for (size_t i = 0; i < count; i += LANES) {
        size_t some = count - i < LANES ? count - i : LANES;
        vec g = load_some(gate + i, some), u = load_some(up + i, some);
        vec gradient = load_some(dy + i, some);
        vec s = 1.0f / (exponential_lanes(-g) + 1.0f);
        vec of_gate = gradient * u * s * (g * (1.0f - s) + 1.0f), of_up = gradient * g * s;
        memcpy(dgate + i, &of_gate, some * sizeof(float));
        memcpy(dup + i, &of_up, some * sizeof(float));
    }
}

TARGET static float maximum(const float *x, size_t n) {
    vec best = all_lanes(-INFINITY);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        best = larger_lanes(load_lanes(x + i), best);
    float largest = -INFINITY;
    for (int j = 0; j < LANES; j++)
        largest = best[j] > largest ? best[j] : largest;
    for (; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;
    return largest;
}

TARGET static double exponentials(float *x, size_t n, float shift) {
    double total = 0;
    // Sums of 1,024 in float32, those in Double: vocabularies are long.
    for (size_t start = 0; start < n; start += 1024) {
        size_t end = start + 1024 < n ? start + 1024 : n;
        vec sum = {};
        size_t i = start;
        for (; i + LANES <= end; i += LANES) {
            vec value = exponential_lanes(load_lanes(x + i) - shift);
            store_lanes(x + i, value);
            sum += value;
        }
        if (i < end) {
            vec value = exponential_lanes(load_some(x + i, end - i) - shift);
            memcpy(x + i, &value, (end - i) * sizeof(float));
            sum += load_some(x + i, end - i);
        }
        total += (double)sum_of_lanes(sum);
    }
    return total;
}
