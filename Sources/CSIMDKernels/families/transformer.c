#include "qk_transformer.h"

#define QK_FAMILY transformer
#define QK_IS_EXACT 0
#include "family.h"
