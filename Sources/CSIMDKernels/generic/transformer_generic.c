#define LANES 4
#define TARGET
#include "vector_lanes.h"
#include "exponential_lanes.h"
#include "transformer_loop.h"
#include "attention_pairs.h"
#include "attention_loop.h"

static const qk_transformer_functions functions = {
    rms_norm, rotate,      gate_silu, rms_norm_backward, gate_silu_backward,
    attend,   maximum, exponentials,
};

const qk_transformer_functions *qk_transformer_generic(void) { return &functions; }
