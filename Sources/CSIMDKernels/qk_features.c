#include "qk_features.h"

uint32_t qk_host_features(void) { return 0; }
