package import Files
internal import Tensors

extension SafetensorsHeader {
    /// The largest number of tensors in a file or a model.
    package static let tensorCountLimit = 1_000_000

    /// Reads the header of a file and checks everything the format promises.
    init(source: any ByteSource) throws(CheckpointError) {
        guard source.byteCount > 0 else {
            throw CheckpointError(.fileEmpty, "the file is empty")
        }
        let start = try source.bytes(in: 0..<min(source.byteCount, 16))
        let length = try SafetensorsHeader.textByteCount(
            fileStart: start,
            fileByteCount: source.byteCount
        )
        let text = try source.bytes(in: 8..<8 + length)
        try self.init(text: text, fileByteCount: source.byteCount)
    }

    /// Returns the length of the header's text that the first bytes of a file announce.
    ///
    /// - Parameters:
    ///   - fileStart: the first 16 bytes, or all if there are fewer.
    ///   - fileByteCount: the length of the file.
    /// - Returns: a length that lies within the file and within the format's limit.
    /// - Throws: `st.tooShort`, `st.headerTooLarge`, `st.headerBeyondFile` or `st.headerStart`.
    package static func textByteCount(
        fileStart: [UInt8],
        fileByteCount: Int
    ) throws(CheckpointError) -> Int {
        guard fileStart.count >= 8 else {
            throw CheckpointError(
                .stTooShort,
                "\(fileByteCount) bytes are too few for a safetensors file",
                offset: 0,
                hint: FileKindHint(fileStart)?.text
            )
        }
        let length = fileStart.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(byteCountLimit) else {
            throw CheckpointError(
                .stHeaderTooLarge,
                "the header would have \(length) bytes; \(byteCountLimit) are allowed",
                offset: 0,
                hint: FileKindHint(fileStart)?.text ?? "this is no safetensors file"
            )
        }
        let count = Int(length)
        guard count <= fileByteCount - 8 else {
            throw CheckpointError(
                .stHeaderBeyondFile,
                "the header of \(count) bytes would end at byte \(8 + count),"
                    + " the file has \(fileByteCount)",
                offset: 0,
                hint: FileKindHint(fileStart)?.text
                    ?? "the file is cut short; download it again"
            )
        }
        guard count > 0 else {
            throw CheckpointError(.stHeaderStart, "the header is empty", offset: 0)
        }
        if fileStart.count > 8, fileStart[8] != UInt8(ascii: "{") {
            throw CheckpointError(
                .stHeaderStart,
                "the header does not begin with \"{\"",
                offset: 8,
                expected: "0x7b",
                found: "0x" + String(fileStart[8], radix: 16)
            )
        }
        return count
    }

    /// Validates the text of a header.
    ///
    /// - Parameters:
    ///   - text: what stands between the length and the data.
    ///   - fileByteCount: the length of the file.
    /// - Throws: `st.…`, `json.…` or `limit.…`, with the place.
    package init(text: [UInt8], fileByteCount: Int) throws(CheckpointError) {
        var reader = SafetensorsHeaderReader(text: text)
        try reader.read()
        let dataOffset = 8 + text.count
        try SafetensorsHeaderReader.checkCoverage(
            &reader.entries,
            dataOffset: dataOffset,
            fileByteCount: fileByteCount
        )
        entries = reader.entries.map { raw in
            // Covered without holes, so every offset lies within the file.
            let begin = dataOffset + Int(raw.begin)
            return Entry(
                description: raw.description,
                byteRange: begin..<begin + raw.description.byteCount
            )
        }
        metadata = reader.metadata
        self.dataOffset = dataOffset
        self.fileByteCount = fileByteCount
    }
}
