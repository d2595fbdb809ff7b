import CheckpointIO

/// The bytes of one run of the fuzzer as a file.
struct InputBytes: ByteSource {
    let bytes: [UInt8]

    var fileName: String { "input" }
    var byteCount: Int { bytes.count }

    func read(at offset: Int, into destination: inout MutableRawSpan) throws(CheckpointError) {
        // A range beyond the file is a mistake of the reader, and traps here.
        let source = bytes[offset..<offset + destination.byteCount]
        for (place, byte) in source.enumerated() {
            destination.storeBytes(of: byte, toByteOffset: place, as: UInt8.self)
        }
    }
}

/// Reads all elements of a tensor, a few at a time.
func readAll(_ tensor: TensorView) throws {
    let count = tensor.description.elementCount
    let bits = tensor.description.dtype.bitCount
    let piece = 4096
    var buffer = [UInt8](repeating: 0, count: piece * 8)
    // As many as no small file holds: packed types would go on for hours.
    for start in stride(from: 0, to: min(count, 1 << 16), by: piece) {
        let range = start..<min(start + piece, count)
        try buffer.withUnsafeMutableBytes { buffer in
            var bytes = MutableRawSpan(
                _unsafeBytes: UnsafeMutableRawBufferPointer(
                    rebasing: buffer[..<((range.count * bits + 7) / 8)]
                )
            )
            try tensor.read(range, into: &bytes)
        }
    }
}
