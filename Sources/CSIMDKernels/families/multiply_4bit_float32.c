#include "qk_multiply.h"

#define QK_FAMILY multiply_4bit_float32
#define QK_TYPE qk_multiply
#include "family.h"
