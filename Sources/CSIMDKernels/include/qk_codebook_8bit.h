#ifndef QK_CODEBOOK_8BIT_H
#define QK_CODEBOOK_8BIT_H

#include <stddef.h>
#include <stdint.h>

enum { QK_LOOKUP_8BIT_CAPACITY = 8192 };

/// A sorted map of 256 values and what finds the code of a scaled element v in [-1, 1]:
/// code(v) = number of the 255 thresholds strictly below v. A NaN is above none.
///
/// The look-up is a second form of the thresholds. Elements are sorted into buckets by their sign and
/// the upper bits of their magnitude, such that no bucket has more than one threshold inside:
///   m = max(bits of |v|, lookup_start), s = all ones if the sign bit of v is set, else 0
///   entry = lookup[((m - lookup_start) >> lookup_shift) + (s & lookup_half)]
///   code(v) = (entry >> 24) + (((m ^ s) & (2^lookup_shift - 1)) > (entry & 0xffffff))
/// The low bits of lookup_start are zero. The last bucket of a sign starts at magnitude 1, so the
/// look-up holds for |v| < 1 + 2^(lookup_shift - 23).
typedef struct {
    const float *values;     // 256, ascending
    const float *thresholds; // 256; the last is +infinity
    const uint32_t *lookup;  // 2 * lookup_half entries; NULL if a map has no such form
    uint32_t lookup_start;
    uint32_t lookup_shift;
    uint32_t lookup_half;
} qk_codebook_8bit;

/// Derives the 256 thresholds of a map: those of the float32 midpoints fl((c_i + c_{i+1}) * 0.5), a
/// tie going to the even index. values: 256, ascending, with ascending midpoints.
void qk_codebook_8bit_thresholds(const float *values, float *thresholds);

/// Fills the look-up of a codebook whose thresholds are set, or sets it to NULL if it would need more
/// than `QK_LOOKUP_8BIT_CAPACITY` entries. lookup: that many; must live as long as the codebook.
void qk_codebook_8bit_make_lookup(qk_codebook_8bit *codebook, uint32_t *lookup);

#endif
