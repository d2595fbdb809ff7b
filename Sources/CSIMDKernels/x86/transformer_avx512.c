#include "avx512.h"

#if defined(__x86_64__)

#define LANES 16
#define TARGET AVX512
#include "../generic/vector_lanes.h"
#include "../generic/exponential_lanes.h"
#include "../generic/transformer_loop.h"
#include "../generic/attention_pairs.h"
#include "../generic/attention_loop.h"

static const qk_transformer_functions functions = {
    rms_norm, rotate,      gate_silu, rms_norm_backward, gate_silu_backward,
    attend,   maximum, exponentials,
};

const qk_transformer_functions *qk_transformer_avx512(void) { return &functions; }

#endif
