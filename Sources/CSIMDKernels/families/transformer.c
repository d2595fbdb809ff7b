#include "qk_transformer.h"

#define QK_FAMILY transformer
#include "family.h"
