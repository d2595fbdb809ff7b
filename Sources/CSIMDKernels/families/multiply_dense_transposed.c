#include "qk_multiply_dense.h"

#define QK_FAMILY multiply_dense_transposed
#define QK_TYPE qk_multiply_dense
#define QK_LIST "multiply_dense.inc"
#define QK_IS_EXACT 0
#include "family.h"
