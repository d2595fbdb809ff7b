#include "qk_quantize_int8_rows.h"

#define QK_FAMILY quantize_int8_rows
#include "family.h"
