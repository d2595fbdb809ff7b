#include "qk_quantize_8bit.h"

#define QK_FAMILY quantize_8bit
#include "family.h"
