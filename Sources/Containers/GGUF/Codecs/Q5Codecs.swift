/// The fifth bits of 32 codes: bit `i` of a word belongs to element `i`.
private struct FifthBits {
    /// 16 in the lanes whose bit is set, for elements 0 to 15.
    let low: Codes
    /// The same for elements 16 to 31.
    let high: Codes

    @inline(__always)
    init(_ word: UInt32) {
        low = FifthBits.lanes(UInt8(truncatingIfNeeded: word), UInt8(truncatingIfNeeded: word >> 8))
        high = FifthBits.lanes(
            UInt8(truncatingIfNeeded: word >> 16),
            UInt8(truncatingIfNeeded: word >> 24)
        )
    }

    @inline(__always)
    private static func lanes(_ first: UInt8, _ second: UInt8) -> Codes {
        let bytes = Codes(
            lowHalf: SIMD8(repeating: first),
            highHalf: SIMD8(repeating: second)
        )
        let bit = Codes(1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128)
        return Codes(repeating: 0).replacing(with: 16, where: (bytes & bit) .== bit)
    }
}

/// `Q5_0`: 32 elements in 22 bytes.
///
/// `d` (half), the fifth bits (32-bit word), then 16 bytes as in `Q4_0`. Value: `(q - 16) · d`.
enum Q5_0Codec: BlockCodec {
    static var type: GGUFTensorType { .q5_0 }

    @inline(__always)
    static func decodeBlock(
        of blocks: RawSpan,
        at start: Int,
        into output: inout MutableRawSpan,
        at place: Int
    ) {
        let d = blocks.half(at: start)
        let fifth = FifthBits(blocks.word32(at: start + 2))
        let packed = blocks.codes(at: start + 6)
        output.store((((packed & 0xF) | fifth.low) &- 16).signedValues * d, at: place)
        output.store((((packed &>> 4) | fifth.high) &- 16).signedValues * d, at: place + 64)
    }
}

/// `Q5_1`: 32 elements in 24 bytes.
///
/// `d`, `m` (half), the fifth bits, then 16 bytes as in `Q4_0`. Value: `q · d + m`.
enum Q5_1Codec: BlockCodec {
    static var type: GGUFTensorType { .q5_1 }

    @inline(__always)
    static func decodeBlock(
        of blocks: RawSpan,
        at start: Int,
        into output: inout MutableRawSpan,
        at place: Int
    ) {
        let d = blocks.half(at: start)
        let m = blocks.half(at: start + 2)
        let fifth = FifthBits(blocks.word32(at: start + 4))
        let packed = blocks.codes(at: start + 8)
        output.store(((packed & 0xF) | fifth.low).values * d + m, at: place)
        output.store(((packed &>> 4) | fifth.high).values * d + m, at: place + 64)
    }
}
