#include "qk_multiply.h"

#define QK_FAMILY multiply_8bit_bfloat16
#define QK_TYPE qk_multiply
// Codes of 8 bits are exact in bfloat16: the functions of float32, with rounded rows.
#define QK_FUNCTION qk_multiply_8bit_float32
#include "family.h"
