package import Tensors

/// The float formats by their definition: the yardstick of the kernels' conversions.
package enum ReferenceFloat {
    /// Returns the bits of a value rounded to the nearest of the type, ties to even, in the low
    /// bits of the result.
    ///
    /// A NaN keeps its sign and the upper bits of its payload and becomes quiet.
    package static func bits(of value: Float, as element: FloatDType) -> UInt32 {
        guard let format = format(of: element) else { return value.bitPattern }
        let signBit = value.sign == .minus ? format.signBit : 0
        if value.isNaN {
            let payload = (value.bitPattern & 0x7F_FFFF) >> (23 - format.significandBitCount)
            return signBit | format.infinity | format.quietBit | payload
        }
        if value.isInfinite { return signBit | format.infinity }
        if value == 0 { return signBit }
        // The value in units of its last place.
        let exponent = max(Int(value.exponent), format.lowestExponent)
        let unit = power(exponent - Int(format.significandBitCount))
        let units = UInt32((Double(value.magnitude) / unit).rounded(.toNearestOrEven))
        let binade = UInt32(exponent - format.lowestExponent) << format.significandBitCount
        return signBit | min(binade + units, format.infinity)
    }

    /// Returns the value of an element's bits.
    ///
    /// A float16 NaN becomes quiet.
    package static func value(of bits: UInt32, as element: FloatDType) -> Float {
        switch element {
        case .float32: return Float(bitPattern: bits)
        case .bfloat16: return Float(bitPattern: bits << 16)
        case .float16: break
        }
        let isNegative = bits & 0x8000 != 0
        let exponentField = Int(bits >> 10 & 0x1F)
        let fraction = bits & 0x3FF
        if exponentField == 0x1F {
            let sign: UInt32 = isNegative ? 0x8000_0000 : 0
            let quiet: UInt32 = fraction == 0 ? 0 : 0x40_0000
            return Float(bitPattern: sign | 0x7F80_0000 | quiet | fraction << 13)
        }
        let units = exponentField == 0 ? fraction : fraction | 0x400
        let magnitude = Double(units) * power(max(exponentField, 1) - 25)
        return Float(isNegative ? -magnitude : magnitude)
    }

    /// Returns the elements of a buffer.
    package static func values(in bytes: [UInt8], as element: FloatDType) -> [Float] {
        let size = element.byteCount
        return stride(from: 0, to: bytes.count, by: size).map { start in
            var bits: UInt32 = 0
            for place in 0..<size { bits |= UInt32(bytes[start + place]) << UInt32(8 * place) }
            return value(of: bits, as: element)
        }
    }

    /// Returns the buffer of rounded elements.
    package static func bytes(of values: [Float], as element: FloatDType) -> [UInt8] {
        values.flatMap { value in
            let bits = bits(of: value, as: element)
            return (0..<element.byteCount).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
        }
    }

    /// Returns the value, or the positive quiet NaN without payload in place of any NaN.
    package static func canonical(_ value: Float) -> Float {
        value.isNaN ? Float(bitPattern: 0x7FC0_0000) : value
    }

    private struct Format {
        let exponentBitCount: UInt32
        let significandBitCount: UInt32
        let lowestExponent: Int
        var signBit: UInt32 { 1 << (exponentBitCount + significandBitCount) }
        var infinity: UInt32 { signBit - (quietBit << 1) }
        var quietBit: UInt32 { 1 << (significandBitCount - 1) }
    }

    private static func format(of element: FloatDType) -> Format? {
        switch element {
        case .float32: nil
        case .bfloat16:
            Format(exponentBitCount: 8, significandBitCount: 7, lowestExponent: -126)
        case .float16:
            Format(exponentBitCount: 5, significandBitCount: 10, lowestExponent: -14)
        }
    }

    private static func power(_ exponent: Int) -> Double {
        Double(sign: .plus, exponent: exponent, significand: 1)
    }
}
