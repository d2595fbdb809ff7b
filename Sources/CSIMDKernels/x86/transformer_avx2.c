#include "avx2.h"

#if defined(__x86_64__)

#define LANES 8
#define TARGET AVX2_FMA
#include "../generic/vector_lanes.h"
#include "../generic/exponential_lanes.h"
#include "../generic/transformer_loop.h"
#include "../generic/attention_pairs.h"
#include "../generic/attention_loop.h"

static const qk_transformer_functions functions = {
    rms_norm, rotate,      gate_silu, rms_norm_backward, gate_silu_backward,
    attend,   maximum, exponentials,
};

const qk_transformer_functions *qk_transformer_avx2(void) { return &functions; }

#endif
