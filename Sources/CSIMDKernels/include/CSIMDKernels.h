#ifndef CSIMDKERNELS_H
#define CSIMDKERNELS_H

#include "qk_codebook_8bit.h"
#include "qk_convert_float.h"
#include "qk_count_non_finite.h"
#include "qk_dequantize_4bit.h"
#include "qk_dequantize_8bit.h"
#include "qk_dequantize_int8_rows.h"
#include "qk_error_sums.h"
#include "qk_features.h"
#include "qk_multiply.h"
#include "qk_multiply_dense.h"
#include "qk_multiply_transposed.h"
#include "qk_outliers.h"
#include "qk_pack_rows.h"
#include "qk_peak_rate.h"
#include "qk_quantize_4bit.h"
#include "qk_quantize_8bit.h"
#include "qk_quantize_int8_rows.h"
#include "qk_scale_search_4bit.h"
#include "qk_transformer.h"
#include "qk_types.h"

#endif
