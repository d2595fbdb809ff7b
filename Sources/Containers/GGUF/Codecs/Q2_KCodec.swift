/// `Q2_K`: 256 elements in 84 bytes, in 16 groups of 16.
///
/// 16 bytes of scales (low nibble) and minima (high nibble), 64 bytes of codes, `d`, `dmin` (half).
/// Each half of the block has 32 bytes, and bits `2s` of byte `l` belong to element `32s + l` of
/// that half. Value: `(d · scale) · q - dmin · minimum`.
enum Q2_KCodec: BlockCodec {
    static var type: GGUFTensorType { .q2_K }

    @inline(__always)
    static func decodeBlock(
        of blocks: RawSpan,
        at start: Int,
        into output: inout MutableRawSpan,
        at place: Int
    ) {
        let d = blocks.half(at: start + 80)
        let dmin = blocks.half(at: start + 82)
        for group in 0..<16 {
            let scale = blocks.byte(at: start + group)
            let step = d * Float(scale & 0xF)
            let minimum = dmin * Float(scale >> 4)
            let codeByte = group / 8 * 32 + group % 2 * 16
            let shift = UInt8(group % 8 / 2 * 2)
            let codes = (blocks.codes(at: start + 16 + codeByte) &>> shift) & 3
            output.store(codes.values * step - minimum, at: place + group * 64)
        }
    }
}
