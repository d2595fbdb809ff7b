#ifndef CSIMDKERNELS_H
#define CSIMDKERNELS_H

#include "qk_features.h"

#endif
