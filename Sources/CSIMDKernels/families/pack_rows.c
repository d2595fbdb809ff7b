#include "qk_pack_rows.h"

#define QK_FAMILY pack_rows
#include "family.h"
