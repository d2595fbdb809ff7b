extension SafetensorsHeader {
    /// Reads the header of a file; checks everything the format promises.
    init(source: any ByteSource) throws(CheckpointError) {
        guard source.byteCount > 0 else {
            throw CheckpointError(.fileEmpty, "the file is empty")
        }
        guard source.byteCount >= 8 else {
            throw CheckpointError(
                .stTooShort,
                "\(source.byteCount) bytes are too short for a safetensors file",
                offset: 0
            )
        }
        let start = try source.bytes(in: 0..<min(source.byteCount, 16))
        let length = try SafetensorsHeader.headerByteCount(
            fileStart: start,
            fileByteCount: source.byteCount
        )
        let text = try source.bytes(in: 8..<8 + length)
        try self.init(text: text, fileByteCount: source.byteCount)
    }
}
