#include "qk_multiply_transposed.h"

#define QK_FAMILY multiply_4bit_transposed_float32
#define QK_TYPE qk_multiply_transposed
#include "family.h"
