/// The scales and minima of eight groups, six bits each in 12 bytes, as `Q4_K` and `Q5_K` have them.
///
/// Groups 0 to 3: the low six bits of bytes 0 to 3 (scale) and 4 to 7 (minimum). Groups 4 to 7:
/// the low and high nibbles of bytes 8 to 11, with bits 4 and 5 from the top of bytes 0 to 7.
enum KScales {
    @inline(__always)
    static func scale(of group: Int, in blocks: RawSpan, at start: Int) -> Float {
        if group < 4 { return Float(blocks.byte(at: start + group) & 0x3F) }
        let low = blocks.byte(at: start + group + 4) & 0xF
        return Float(low | (blocks.byte(at: start + group - 4) >> 2) & 0x30)
    }

    @inline(__always)
    static func minimum(of group: Int, in blocks: RawSpan, at start: Int) -> Float {
        if group < 4 { return Float(blocks.byte(at: start + group + 4) & 0x3F) }
        let low = blocks.byte(at: start + group + 4) >> 4
        return Float(low | (blocks.byte(at: start + group) >> 2) & 0x30)
    }
}

/// `Q4_K`: 256 elements in 144 bytes, in 8 groups of 32.
///
/// `d`, `dmin` (half), 12 bytes of scales and minima, 128 bytes of codes: 32 bytes hold group `2i`
/// in their low nibbles and group `2i + 1` in their high ones.
/// Value: `(d · scale) · q - dmin · minimum`.
enum Q4_KCodec: BlockCodec {
    static var type: GGUFTensorType { .q4_K }

    @inline(__always)
    static func decodeBlock(
        of blocks: RawSpan,
        at start: Int,
        into output: inout MutableRawSpan,
        at place: Int
    ) {
        let d = blocks.half(at: start)
        let dmin = blocks.half(at: start + 2)
        for group in 0..<8 {
            let step = d * KScales.scale(of: group, in: blocks, at: start + 4)
            let minimum = dmin * KScales.minimum(of: group, in: blocks, at: start + 4)
            let shift = UInt8(group % 2 * 4)
            for half in 0..<2 {
                let packed = blocks.codes(at: start + 16 + group / 2 * 32 + half * 16)
                let codes = (packed &>> shift) & 0xF
                output.store(codes.values * step - minimum, at: place + group * 128 + half * 64)
            }
        }
    }
}
