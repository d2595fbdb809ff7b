#include "qk_dequantize_4bit.h"

#define QK_FAMILY dequantize_4bit
#include "family.h"
