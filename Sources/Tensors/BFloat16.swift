/// A number with the exponent of float32 and 8 bits of precision: the upper half of a float32.
///
/// For storage only; arithmetic is done in float32.
public struct BFloat16: Hashable, Sendable {
    /// Sign, 8 bits of exponent, 7 bits of fraction.
    public let bitPattern: UInt16

    /// Makes a number of its bits.
    public init(bitPattern: UInt16) {
        self.bitPattern = bitPattern
    }

    /// Rounds to nearest, ties to even; beyond the range to infinity.
    ///
    /// A NaN stays one and becomes quiet.
    public init(_ value: Float) {
        let bits = value.bitPattern
        if value.isNaN {
            bitPattern = UInt16(truncatingIfNeeded: bits >> 16) | 0x0040
            return
        }
        // A carry out of the fraction raises the exponent, which is what rounding up means.
        let rounded = bits &+ 0x7FFF &+ (bits >> 16 & 1)
        bitPattern = UInt16(truncatingIfNeeded: rounded >> 16)
    }
}

extension Float {
    /// Widens exactly.
    public init(_ value: BFloat16) {
        self.init(bitPattern: UInt32(value.bitPattern) << 16)
    }
}
