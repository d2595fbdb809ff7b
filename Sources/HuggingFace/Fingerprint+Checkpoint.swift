package import Files

extension Fingerprint {
    /// Adds everything that is read of a checkpoint: the weight files with their headers, the
    /// configuration, and the files that are carried along.
    /// - Throws: what reading throws.
    package mutating func addInputs(of checkpoint: Checkpoint) throws(CheckpointError) {
        for file in checkpoint.weightFiles {
            let time = file.identity
            addInput(
                name: file.fileName,
                byteCount: file.byteCount,
                modified: "\(time.modificationSeconds) s \(time.modificationNanoseconds) ns",
                headerDigest: try Self.headerDigest(of: file)
            )
        }
        if let configuration = checkpoint.configuration {
            let text = Array(configuration.text(.dense).utf8)
            addInput(
                name: "config.json",
                byteCount: text.count,
                modified: "-",
                headerDigest: text.withRawSpan { FileDigest(of: $0).hexadecimal }
            )
        }
        for companion in checkpoint.companions {
            addInput(
                name: companion.name.text,
                byteCount: companion.source.byteCount,
                modified: "-",
                headerDigest: try FileDigest(of: companion.source).hexadecimal
            )
        }
    }

    /// The SHA-256 of the header of a safetensors file; of another container the first mebibyte.
    private static func headerDigest(of file: InputFile) throws(CheckpointError) -> String {
        var byteCount = min(file.byteCount, 1 << 20)
        if file.fileName.hasSuffix(".safetensors"), file.byteCount >= 8 {
            let length = try file.bytes(in: 0..<8).reversed().reduce(UInt64(0)) {
                $0 << 8 | UInt64($1)
            }
            // The header was validated when the checkpoint was opened.
            byteCount = min(file.byteCount, 8 + Int(min(length, 100_000_000)))
        }
        return try file.bytes(in: 0..<byteCount).withRawSpan { FileDigest(of: $0).hexadecimal }
    }
}
