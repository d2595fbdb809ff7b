#include "qk_error_sums.h"

#define QK_FAMILY error_sums
#include "family.h"
