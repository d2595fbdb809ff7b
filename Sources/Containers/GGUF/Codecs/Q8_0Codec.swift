/// `Q8_0`: 32 elements in 34 bytes.
///
/// `d` (half), then one signed byte per element. Value: `q · d`.
enum Q8_0Codec: BlockCodec {
    static var type: GGUFTensorType { .q8_0 }

    @inline(__always)
    static func decodeBlock(
        of blocks: RawSpan,
        at start: Int,
        into output: inout MutableRawSpan,
        at place: Int
    ) {
        let d = blocks.half(at: start)
        output.store(blocks.codes(at: start + 2).signedValues * d, at: place)
        output.store(blocks.codes(at: start + 18).signedValues * d, at: place + 64)
    }
}
