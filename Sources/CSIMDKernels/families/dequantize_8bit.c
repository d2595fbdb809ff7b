#include "qk_dequantize_8bit.h"

#define QK_FAMILY dequantize_8bit
#include "family.h"
