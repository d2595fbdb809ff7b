#include "qk_multiply_dense.h"

#define QK_FAMILY multiply_dense_transposed
#define QK_TYPE qk_multiply_dense
#include "family.h"
