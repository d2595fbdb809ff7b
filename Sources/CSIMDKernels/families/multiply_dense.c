#include "qk_multiply_dense.h"

#define QK_FAMILY multiply_dense
#define QK_IS_EXACT 0
#include "family.h"
