public import Files
internal import Tensors

/// A safetensors file: its header, validated, and its tensors, read on demand.
public struct SafetensorsFile: Sendable {
    /// The bytes of the file.
    public let source: any ByteSource
    /// What is stored where.
    public let header: SafetensorsHeader
    /// The tensors in the order of their data.
    public let tensors: [TensorView]

    /// Reads and validates the header of a file.
    /// - Throws: `CheckpointError` with a code `file.…`, `st.…`, `json.…` or `limit.…` that names
    ///   the file.
    public init(source: any ByteSource) throws(CheckpointError) {
        self.source = source
        do throws(CheckpointError) {
            header = try SafetensorsHeader(source: source)
        } catch {
            var error = error.inFile(source.fileName)
            if source.fileName.hasSuffix(".zst"), error.offset != nil, error.hint == nil {
                error.hint = "offsets are those of the unpacked file"
            }
            throw error
        }
        tensors = header.entries.map { entry in
            TensorView(
                description: entry.description,
                fileName: source.fileName,
                storedType: entry.description.dtype.rawValue,
                storedByteCount: entry.byteRange.count,
                elements: StoredElements(source: source, entry: entry)
            )
        }
    }

    /// Opens the file at a path and validates its header.
    /// - Throws: as `init(source:)` and `InputFile.init(at:)`.
    public init(at path: String) throws(CheckpointError) {
        try self.init(source: InputFile(at: path))
    }
}

/// Elements that lie in the file as they are.
private struct StoredElements: ElementSource {
    let source: any ByteSource
    let byteOffset: Int
    let elementCount: Int
    let bitCount: Int

    init(source: any ByteSource, entry: SafetensorsHeader.Entry) {
        self.source = source
        byteOffset = entry.byteRange.lowerBound
        elementCount = entry.description.elementCount
        bitCount = entry.description.dtype.bitCount
    }

    func read(_ range: Range<Int>, into bytes: inout MutableRawSpan) throws(CheckpointError) {
        let firstBit = range.lowerBound * bitCount
        precondition(
            range.lowerBound >= 0 && range.upperBound <= elementCount,
            "elements \(range) of \(elementCount)"
        )
        precondition(
            firstBit % 8 == 0 && range.count * bitCount == bytes.byteCount * 8,
            "\(bytes.byteCount) bytes for \(range.count) elements of \(bitCount) bits"
        )
        try source.read(at: byteOffset + firstBit / 8, into: &bytes)
    }

    func mapped() throws(CheckpointError) -> MappedElements? {
        guard let file = source as? InputFile else { return nil }
        let byteCount = elementCount * bitCount / 8
        return MappedElements(try MappedFile(file), byteOffset..<byteOffset + byteCount)
    }
}
