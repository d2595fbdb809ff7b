public import Files
internal import Tensors

/// One stored tensor: what it is, and its elements, readable in pieces from any thread.
public struct TensorView: Sendable {
    /// Name, dtype and shape.
    ///
    /// For a packed GGUF tensor the dtype is that of its decoded elements.
    public let description: TensorDescription
    /// The file that holds it, as printed in errors.
    public let fileName: String
    /// The name in its file: what people look for when something is wrong with it.
    ///
    /// It differs from that of the description in a GGUF file.
    public let storedName: Name
    /// The type as the container names it (`"BF16"`, `"Q4_1"`), for display.
    public let storedType: String
    /// The bytes it fills in its file.
    public let storedByteCount: Int
    package let elements: any ElementSource

    /// The types whose elements the file stores one by one.
    package static let plainTypes: Set<String> = ["F64", "F32", "BF16", "F16"]

    /// Whether the elements are floats that the file stores one by one.
    package var isPlain: Bool { Self.plainTypes.contains(storedType) }

    package init(
        description: TensorDescription,
        fileName: String,
        storedName: Name? = nil,
        storedType: String,
        storedByteCount: Int,
        elements: any ElementSource
    ) {
        self.description = description
        self.fileName = fileName
        self.storedName = storedName ?? description.name
        self.storedType = storedType
        self.storedByteCount = storedByteCount
        self.elements = elements
    }

    /// The same tensor under another name.
    package func named(_ name: Name) -> TensorView {
        TensorView(
            description: TensorDescription(
                name: name,
                dtype: description.dtype,
                shape: description.shape
            ),
            fileName: fileName,
            storedName: storedName,
            storedType: storedType,
            storedByteCount: storedByteCount,
            elements: elements
        )
    }

    /// Reads elements of the flattened tensor (row-major) in `description.dtype`, little-endian.
    /// - Parameters:
    ///   - range: element indices; for sub-byte types both ends fall on whole bytes.
    ///   - bytes: exactly the bytes of those elements.
    /// - Throws: `CheckpointError` as the file gives it.
    public func read(_ range: Range<Int>, into bytes: inout MutableRawSpan) throws(CheckpointError)
    {
        try elements.read(range, into: &bytes)
    }

    /// Maps the elements into memory, for tables of which few rows are read; nil where they do not lie in a
    /// file as they are.
    /// - Throws: `file.io` if the system refuses to map the file.
    package func mapped() throws(CheckpointError) -> MappedElements? { try elements.mapped() }
}

/// Where the elements of one tensor come from.
package protocol ElementSource: Sendable {
    func read(_ range: Range<Int>, into bytes: inout MutableRawSpan) throws(CheckpointError)
    /// All elements in place; nil if they are not stored as they are read.
    func mapped() throws(CheckpointError) -> MappedElements?
}

extension ElementSource {
    package func mapped() throws(CheckpointError) -> MappedElements? { nil }
}
