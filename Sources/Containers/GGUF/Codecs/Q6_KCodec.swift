/// `Q6_K`: 256 elements in 210 bytes, in 16 groups of 16.
///
/// 128 bytes of low nibbles, 64 bytes of the high two bits, 16 signed scales, `d` (half). Each half
/// of the block has four runs of 32 elements: runs 0 and 1 in the low nibbles of its 64 bytes, runs
/// 2 and 3 in the high ones; bits `2r` of its 32 bytes of high bits belong to run `r`.
/// Value: `(d · scale) · (q - 32)`.
enum Q6_KCodec: BlockCodec {
    static var type: GGUFTensorType { .q6_K }

    @inline(__always)
    static func decodeBlock(
        of blocks: RawSpan,
        at start: Int,
        into output: inout MutableRawSpan,
        at place: Int
    ) {
        let d = blocks.half(at: start + 208)
        for group in 0..<16 {
            let scale = Int8(bitPattern: blocks.byte(at: start + 192 + group))
            let step = d * Float(scale)
            let (half, run, column) = (group / 8, group % 8 / 2, group % 2 * 16)
            let lowByte = half * 64 + run % 2 * 32 + column
            let low = (blocks.codes(at: start + lowByte) &>> UInt8(run / 2 * 4)) & 0xF
            let high = (blocks.codes(at: start + 128 + half * 32 + column) &>> UInt8(run * 2)) & 3
            let codes = (low | (high &<< 4)) &- 32
            output.store(codes.signedValues * step, at: place + group * 64)
        }
    }
}
