#include "qk_multiply.h"

#define QK_FAMILY multiply_4bit_bfloat16
#define QK_TYPE qk_multiply
#define QK_IS_EXACT 0
#include "family.h"
