/// `Q5_K`: 256 elements in 176 bytes, in 8 groups of 32.
///
/// `d`, `dmin` (half), 12 bytes of scales and minima as in `Q4_K`, 32 bytes with the fifth bits
/// (bit `g` of byte `l` belongs to element `l` of group `g`), 128 bytes of low nibbles as in `Q4_K`.
/// Value: `(d · scale) · q - dmin · minimum`.
enum Q5_KCodec: BlockCodec {
    static var type: GGUFTensorType { .q5_K }

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
                let packed = blocks.codes(at: start + 48 + group / 2 * 32 + half * 16)
                let fifth = (blocks.codes(at: start + 16 + half * 16) &>> UInt8(group)) & 1
                let codes = ((packed &>> shift) & 0xF) | (fifth &<< 4)
                output.store(codes.values * step - minimum, at: place + group * 128 + half * 64)
            }
        }
    }
}
