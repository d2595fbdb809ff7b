#ifndef LAYERS_H
#define LAYERS_H

#include <stddef.h>
#include <stdint.h>

/// Compares the variants of dense products and of the functions between products with the generic ones, on
/// random sizes and buffers between pages that must not be touched, within the bound of their roundings.
/// `report` is called for each variant with the wrong cases.
void check_layers(uint32_t features, size_t case_count,
                  void (*report)(const char *family, const char *variant, size_t cases, size_t wrong,
                                 uint64_t seed));

#endif
