/// A number of IEEE 754 binary16, for storage only: Swift has no `Float16` on every processor.
public struct Half: Hashable, Sendable {
    /// Sign, 5 bits of exponent, 10 bits of fraction.
    public let bitPattern: UInt16

    /// Makes a number of its bits.
    public init(bitPattern: UInt16) {
        self.bitPattern = bitPattern
    }
}

extension Float {
    /// Widens exactly; a NaN keeps its payload.
    public init(_ value: Half) {
        let bits = UInt32(value.bitPattern)
        let sign = (bits & 0x8000) << 16
        let magnitude = bits & 0x7FFF
        switch magnitude >> 10 {
        case 0:
            // Zero or subnormal: a multiple of 2⁻²⁴.
            self = Float(magnitude) * 0x1p-24
            if sign != 0 { self.negate() }
        case 31:
            self.init(bitPattern: sign | 0x7F80_0000 | (magnitude & 0x3FF) << 13)
        default:
            self.init(bitPattern: sign | (magnitude << 13 &+ (112 << 23)))
        }
    }
}
