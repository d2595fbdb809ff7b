// e^x in vectors; after vector_lanes.h.

/// Returns e^x within 2 units in the last place; 0 below -87, and what float32 holds of it above 88.
/// With n = round(x / ln 2) and r = x - n ln 2, |r| <= 0.35: e^x = 2^n e^r, e^r by its series up to r⁷.
INLINE_LANES vec exponential_lanes(vec x) {
    vec bounded = choose_lanes(x > 88.0f, all_lanes(88.0f), x);
    // Adding 1.5 · 2^23 rounds to an integer, which the lowest bits then hold.
    vec shifted = bounded * 1.44269504f + 12582912.0f;
    vec n = shifted - 12582912.0f;
    vec r = bounded - n * 0.693145752f;
    r = r - n * 1.42860677e-6f;
    vec p = all_lanes(1.0f / 5040);
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    vec power = (vec)(((ivec)shifted << 23) + 0x3f800000);
    return choose_lanes(x < -87.0f, (vec){}, p * power);
}
