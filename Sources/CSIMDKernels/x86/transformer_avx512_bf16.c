#include "avx512_bf16.h"

#if defined(__x86_64__)

#define LANES 16
#define TARGET AVX512
#define DOT_PAIRS(sum, w, x) ((vec)_mm512_dpbf16_ps((__m512)(sum), (__m512bh)(w), (__m512bh)(x)))
#define ROUND_PAIRS(from, to)                                                                      \
    _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps((from) + LANES),          \
                                                         _mm512_loadu_ps(from)))
#include "../generic/vector_lanes.h"
#include "../generic/exponential_lanes.h"
#include "../generic/transformer_loop.h"
#include "../generic/attention_pairs.h"
#include "../generic/attention_loop.h"

const qk_transformer_functions *qk_transformer_avx512(void);

/// Numbers in float32 are not rounded.
AVX512 static void attend_to_either(const qk_attention *a) {
    if (a->type == QK_FLOAT32)
        qk_transformer_avx512()->attend(a);
    else
        attend(a);
}

static const qk_transformer_functions functions = {
    rms_norm,         rotate,  gate_silu,    rms_norm_backward, gate_silu_backward,
    attend_to_either, maximum, exponentials,
};

const qk_transformer_functions *qk_transformer_avx512_bf16(void) { return &functions; }

#endif
