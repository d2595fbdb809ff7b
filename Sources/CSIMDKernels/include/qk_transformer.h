#ifndef QK_TRANSFORMER_H
#define QK_TRANSFORMER_H

#include "qk_types.h"
#include <stddef.h>

/// The tokens that share a block of keys.
enum { QK_KEY_BLOCK = 16 };
/// The keys that one pass of attention looks at; a multiple of QK_KEY_BLOCK.
enum { QK_KEYS_AT_ONCE = 128 };

/// Attention of some queries to one key-value head, causal:
///   out[i, h] = Σ_t p(t) v[t],  p = softmax over t of scale · q[i, h] · k[t],
/// where query i stands at position p = position + i and sees the tokens t with p - window < t <= p.
/// Beside keys and values in bfloat16, q and p are rounded to it as well; the sum of p is not.
/// The tokens are passed over once, QK_KEYS_AT_ONCE at a time, with a running maximum and sum
/// (Milakov & Gimelshein 2018), so the memory does not grow with them.
typedef struct {
    const float *q;   // query i, head h: q + i · q_stride + h · d, d floats
    const void *k;    // block b of QK_KEY_BLOCK tokens: from element b · k_stride on, [d][QK_KEY_BLOCK];
                      // in bfloat16, where d is even, [d / 2][QK_KEY_BLOCK][2]
    const void *v;    // token t: from element t · v_stride on, d elements; in bfloat16 tokens 2 t and
                      // 2 t + 1 together: from element 2 t · v_stride on, [d][2]
    qk_float_type type; // of keys and values: QK_FLOAT32 or QK_BFLOAT16
    float *out;       // like q
    float *scratch;   // (QK_KEYS_AT_ONCE + 2 d + 18) · queries · heads floats
    size_t q_stride, k_stride, v_stride;
    size_t queries;   // rows of q
    size_t heads;     // query heads that share the key-value head
    size_t d;         // channels of a head
    size_t position;  // of the first query: all tokens up to it and those of the queries have keys
    size_t window;    // how many tokens a query sees; 0: all
    float scale;
} qk_attention;

/// The functions between the products of a transformer, on float32. All buffers have any alignment;
/// outputs overlap nothing but where it is said. Variants differ by the order of sums and by at most
/// 2 units in the last place of exponentials.
typedef struct {
    /// y[i] = x[i] / sqrt(mean(x²) + epsilon) · weight[i] for each of `rows` rows of `n` numbers.
    /// `y` may be `x`.
    void (*rms_norm)(const float *x, const float *weight, size_t rows, size_t n, float epsilon,
                     float *y);
    /// Rotates the pairs (x[i], x[i + half]) of each of `heads` heads, which lie `d` apart, of each of
    /// `rows` rows, by angles with the cosines and sines given: half numbers for each row.
    void (*rotate)(float *x, size_t rows, size_t heads, size_t d, size_t half,
                   const float *cosines, const float *sines);
    /// gate[i] = gate[i] / (1 + exp(-gate[i])) · up[i].
    void (*gate_silu)(float *gate, const float *up, size_t count);
    /// The gradient of rms_norm: dx[i] += r (w[i] dy[i] - x[i] r² / n Σ w[j] dy[j] x[j]) with
    /// r = 1 / sqrt(mean(x²) + epsilon), and dweight[i] += dy[i] x[i] r over the rows, unless null.
    void (*rms_norm_backward)(const float *x, const float *weight, const float *dy, size_t rows,
                              size_t n, float epsilon, float *dx, float *dweight);
    /// The gradients of gate_silu, from what it was given: with s = 1 / (1 + exp(-gate)),
    /// dgate[i] = dy[i] up[i] s (1 + gate[i] (1 - s)), dup[i] = dy[i] gate[i] s.
    void (*gate_silu_backward)(const float *gate, const float *up, const float *dy, size_t count,
                               float *dgate, float *dup);
    void (*attend)(const qk_attention *attention);
    /// Returns the largest of n > 0 numbers.
    float (*maximum)(const float *x, size_t n);
    /// x[i] = exp(x[i] - shift); returns their sum.
    double (*exponentials)(float *x, size_t n, float shift);
} qk_transformer_functions;

typedef const qk_transformer_functions *qk_transformer_fn(void);

typedef struct {
    qk_variant variant;
    qk_transformer_fn *function;
} qk_transformer_entry;

/// Returns the variants compiled for this architecture, best first, generic last.
const qk_transformer_entry *qk_transformer_entries(size_t *count);

#endif
