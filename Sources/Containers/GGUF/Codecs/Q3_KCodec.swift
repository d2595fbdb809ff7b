/// `Q3_K`: 256 elements in 110 bytes, in 16 groups of 16.
///
/// 32 bytes with the third bits (bit `b` of byte `l` belongs to element `32b + l`; a cleared bit
/// subtracts 4), 64 bytes with the low two bits as in `Q2_K`, 12 bytes with 16 scales of 6 bits,
/// `d` (half). Value: `(d · (scale - 32)) · q`.
enum Q3_KCodec: BlockCodec {
    static var type: GGUFTensorType { .q3_K }

    @inline(__always)
    static func decodeBlock(
        of blocks: RawSpan,
        at start: Int,
        into output: inout MutableRawSpan,
        at place: Int
    ) {
        let d = blocks.half(at: start + 108)
        for group in 0..<16 {
            let step = d * Float(scale(of: group, in: blocks, at: start + 96))
            let column = group % 2 * 16
            let shift = UInt8(group % 8 / 2 * 2)
            let low = (blocks.codes(at: start + 32 + group / 8 * 32 + column) &>> shift) & 3
            let third = (blocks.codes(at: start + column) &>> UInt8(group / 2)) & 1
            let codes = low &+ (third &<< 2) &- 4
            output.store(codes.signedValues * step, at: place + group * 64)
        }
    }

    /// Group `g` has its low four bits in nibble `g / 8` of byte `g % 8`, and its high two in bits
    /// `g / 4 · 2` of byte `8 + g % 4`.
    @inline(__always)
    private static func scale(of group: Int, in blocks: RawSpan, at start: Int) -> Int {
        let low = blocks.byte(at: start + group % 8) >> UInt8(group / 8 * 4) & 0xF
        let high = blocks.byte(at: start + 8 + group % 4) >> UInt8(group / 4 * 2) & 3
        return Int(low | high << 4) - 32
    }
}
