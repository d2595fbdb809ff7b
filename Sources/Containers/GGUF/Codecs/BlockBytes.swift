/// Sixteen codes, and the values made of them.
typealias Codes = SIMD16<UInt8>
typealias Values = SIMD16<Float>

// Loads are bounds-checked; they count as unsafe only because not every type may be read from any
// bytes. Integers may.
extension RawSpan {
    /// The byte at `offset`.
    @inline(__always)
    func byte(at offset: Int) -> UInt8 {
        unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    /// The little-endian word of 16 bits at `offset`.
    @inline(__always)
    func word16(at offset: Int) -> UInt16 {
        UInt16(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    /// The little-endian word of 32 bits at `offset`.
    @inline(__always)
    func word32(at offset: Int) -> UInt32 {
        UInt32(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// The IEEE half-precision number at `offset`, widened.
    @inline(__always)
    func half(at offset: Int) -> Float {
        Float(halfBits: word16(at: offset))
    }

    /// Sixteen bytes from `offset` on.
    @inline(__always)
    func codes(at offset: Int) -> Codes {
        unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: Codes.self)
    }
}

extension MutableRawSpan {
    /// Stores sixteen numbers from byte `offset` on.
    @inline(__always)
    mutating func store(_ values: Values, at offset: Int) {
        storeBytes(of: values, toByteOffset: offset, as: Values.self)
    }
}

extension Float {
    /// Widens an IEEE half-precision number, exactly.
    ///
    /// In integers and one multiplication, because not every platform has `Float16`.
    @inline(__always)
    init(halfBits bits: UInt16) {
        let sign = UInt32(bits & 0x8000) << 16
        let magnitude = UInt32(bits & 0x7FFF) << 13
        if magnitude >= 0x7C00 << 13 {
            // Infinity, or NaN with its payload.
            self = Float(bitPattern: sign | magnitude | 0x7F80_0000)
        } else {
            // The exponent is biased by 15 instead of 127; the product also makes subnormals right.
            let scaled = Float(bitPattern: magnitude) * Float(bitPattern: 0x7780_0000)
            self = Float(bitPattern: sign | scaled.bitPattern)
        }
    }
}

extension SIMD16 where Scalar == UInt8 {
    /// The codes as numbers.
    @inline(__always)
    var values: Values { Values(self) }

    /// The codes as signed numbers of 8 bits.
    @inline(__always)
    var signedValues: Values { Values(SIMD16<Int8>(truncatingIfNeeded: self)) }
}
