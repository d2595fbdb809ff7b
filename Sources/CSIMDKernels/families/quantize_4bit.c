#include "qk_quantize_4bit.h"

#define QK_FAMILY quantize_4bit
#include "family.h"
