#include "qk_count_non_finite.h"

#define QK_FAMILY count_non_finite
#include "family.h"
