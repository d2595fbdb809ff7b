#ifndef PRODUCTS_H
#define PRODUCTS_H

#include <stddef.h>
#include <stdint.h>

/// Compares the variants of the products with quantized weights with the generic ones, on random sizes and
/// buffers between pages that must not be touched: float32 and int8 bit for bit, bfloat16 within the
/// bound of a sum of that many terms. `report` is called for each variant with the wrong cases.
void check_products(uint32_t features, size_t case_count,
                    void (*report)(const char *family, const char *variant, size_t cases,
                                   size_t wrong, uint64_t seed));

#endif
