#include "qk_convert_float.h"

#define QK_FAMILY convert_float
#include "family.h"
