#include "qk_multiply_dense.h"

#define QK_FAMILY multiply_dense
#include "family.h"
