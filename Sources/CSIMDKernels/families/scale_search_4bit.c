#include "qk_scale_search_4bit.h"

#define QK_FAMILY scale_search_4bit
#include "family.h"
