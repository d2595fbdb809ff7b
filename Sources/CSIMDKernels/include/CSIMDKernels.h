#ifndef CSIMDKERNELS_H
#define CSIMDKERNELS_H

#include "qk_cores.h"
#include "qk_dequantize_4bit.h"
#include "qk_dequantize_int8_rows.h"
#include "qk_features.h"
#include "qk_quantize_4bit.h"
#include "qk_quantize_int8_rows.h"
#include "qk_types.h"

#endif
