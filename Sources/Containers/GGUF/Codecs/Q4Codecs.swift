/// `Q4_0`: 32 elements in 18 bytes.
///
/// `d` (half), then 16 bytes; byte `j` holds the code of element `j` in its low nibble and of
/// element `j + 16` in its high one. Value: `(q - 8) · d`.
enum Q4_0Codec: BlockCodec {
    static var type: GGUFTensorType { .q4_0 }

    @inline(__always)
    static func decodeBlock(
        of blocks: RawSpan,
        at start: Int,
        into output: inout MutableRawSpan,
        at place: Int
    ) {
        let d = blocks.half(at: start)
        let packed = blocks.codes(at: start + 2)
        output.store(((packed & 0xF) &- 8).signedValues * d, at: place)
        output.store(((packed &>> 4) &- 8).signedValues * d, at: place + 64)
    }
}

/// `Q4_1`: 32 elements in 20 bytes.
///
/// `d`, `m` (half), then 16 bytes as in `Q4_0`. Value: `q · d + m`.
enum Q4_1Codec: BlockCodec {
    static var type: GGUFTensorType { .q4_1 }

    @inline(__always)
    static func decodeBlock(
        of blocks: RawSpan,
        at start: Int,
        into output: inout MutableRawSpan,
        at place: Int
    ) {
        let d = blocks.half(at: start)
        let m = blocks.half(at: start + 2)
        let packed = blocks.codes(at: start + 4)
        output.store((packed & 0xF).values * d + m, at: place)
        output.store((packed &>> 4).values * d + m, at: place + 64)
    }
}
