#include "qk_dequantize_int8_rows.h"

#define QK_FAMILY dequantize_int8_rows
#include "family.h"
