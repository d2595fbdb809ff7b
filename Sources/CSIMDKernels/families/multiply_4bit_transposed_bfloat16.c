#include "qk_multiply_transposed.h"

#define QK_FAMILY multiply_4bit_transposed_bfloat16
#define QK_TYPE qk_multiply_transposed
#define QK_IS_EXACT 0
#include "family.h"
