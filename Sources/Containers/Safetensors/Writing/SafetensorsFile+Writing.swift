public import Files

/// A tensor with its bytes, ready to be written.
public struct TensorBytes: Sendable, Hashable {
    /// Name, type and shape.
    public let description: TensorDescription
    /// The elements, row-major and little-endian.
    public let bytes: [UInt8]

    /// Puts both together.
    /// - Precondition: there are as many bytes as the description says.
    public init(_ description: TensorDescription, _ bytes: [UInt8]) {
        precondition(
            bytes.count == description.byteCount,
            "\(bytes.count) bytes for \(description.byteCount)"
        )
        self.description = description
        self.bytes = bytes
    }
}

extension SafetensorsFile {
    /// Writes tensors into a new file, which appears whole or not at all.
    ///
    /// The order is that of the reference writer: by the size of the elements, then by name.
    /// - Parameters:
    ///   - tensors: in any order, each name once.
    ///   - path: of the file; its folder exists, and nothing of that name.
    ///   - metadata: the lines of `__metadata__`, which are written in the order of their keys.
    /// - Throws: `output.exists`, `st.duplicateName`, `file.io`.
    public static func write(
        _ tensors: [TensorBytes],
        to path: String,
        metadata: [String: String] = ["format": "pt"]
    ) throws(CheckpointError) {
        let layout = try SafetensorsLayout(
            tensors: tensors.map(\.description),
            metadata: metadata.sorted { Name($0.key) < Name($1.key) }
                .map { SafetensorsLayout.Metadata(Name($0.key), Name($0.value)) }
        )
        let output = try SingleFileOutput(
            at: path,
            sources: [],
            byteCount: layout.maximumFileByteCount
        )
        let writer = SafetensorsWriter(layout, to: output.file)
        for tensor in tensors { try writer.write(tensor.bytes, of: tensor.description.name) }
        try writer.finish()
        try output.commit()
    }
}
