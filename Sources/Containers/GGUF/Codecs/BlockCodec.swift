/// The decoder of one packed type: bytes of whole blocks in, float32 out.
///
/// Arithmetic is that of the format's reference in Python: scales widened to float32 (exact), then
/// each product and each sum rounded on its own, never fused.
protocol BlockCodec {
    /// The type it decodes.
    static var type: GGUFTensorType { get }

    /// Decodes the block that starts at byte `start` of `blocks`, and stores its elements as
    /// little-endian float32 from byte `place` of `output` on.
    static func decodeBlock(
        of blocks: RawSpan,
        at start: Int,
        into output: inout MutableRawSpan,
        at place: Int
    )
}

extension BlockCodec {
    /// Decodes blocks that lie one after the other.
    static func decode(_ blocks: RawSpan, into output: inout MutableRawSpan) {
        let blockByteCount = type.blockByteCount
        let outputByteCount = type.blockLength * 4
        let blockCount = blocks.byteCount / blockByteCount
        precondition(
            blocks.byteCount == blockCount * blockByteCount
                && output.byteCount == blockCount * outputByteCount,
            "\(blocks.byteCount) bytes of \(type.name) do not fill \(output.byteCount) bytes"
        )
        for block in 0..<blockCount {
            decodeBlock(
                of: blocks,
                at: block * blockByteCount,
                into: &output,
                at: block * outputByteCount
            )
        }
    }
}

extension GGUFTensorType {
    /// Decodes whole blocks of a packed type to little-endian float32.
    /// - Precondition: the type is packed, and the sizes fit one another.
    func decode(_ blocks: RawSpan, into output: inout MutableRawSpan) {
        switch self {
        case .q4_0: Q4_0Codec.decode(blocks, into: &output)
        case .q4_1: Q4_1Codec.decode(blocks, into: &output)
        case .q5_0: Q5_0Codec.decode(blocks, into: &output)
        case .q5_1: Q5_1Codec.decode(blocks, into: &output)
        case .q8_0: Q8_0Codec.decode(blocks, into: &output)
        case .q2_K: Q2_KCodec.decode(blocks, into: &output)
        case .q3_K: Q3_KCodec.decode(blocks, into: &output)
        case .q4_K: Q4_KCodec.decode(blocks, into: &output)
        case .q5_K: Q5_KCodec.decode(blocks, into: &output)
        case .q6_K: Q6_KCodec.decode(blocks, into: &output)
        case .f32, .f16, .bf16: preconditionFailure("\(name) is not packed")
        }
    }
}
