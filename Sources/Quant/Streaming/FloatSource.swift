package import CheckpointIO
internal import Machine
internal import SIMDKernels
package import Tensors

/// The float elements of one tensor, flattened row-major, readable in pieces from any thread.
package protocol FloatSource: Sendable {
    /// The type of the elements as they are read.
    var dtype: FloatDType { get }
    /// The number of elements.
    var elementCount: Int { get }
    /// The tensor as its file names it, for errors.
    var name: Name { get }
    /// The file, for errors.
    var fileName: String { get }

    /// How many elements are best read at once.
    var tileElementCount: Int { get }

    /// Reads elements, little-endian, into exactly their bytes.
    ///
    /// - Parameters:
    ///   - range: which.
    ///   - bytes: as many as they have.
    ///   - workspace: memory for a source that reads another.
    /// - Throws: what is wrong with the elements, or with reading them.
    func read(
        _ range: Range<Int>,
        into bytes: inout MutableRawSpan,
        _ workspace: inout Workspace
    ) throws(CheckpointError)
}

extension FloatSource {
    package var tileElementCount: Int { TileSize.usual }

    /// Reads elements once, with memory of its own; who reads tile by tile keeps a workspace.
    package func read(
        _ range: Range<Int>,
        into bytes: inout MutableRawSpan
    ) throws(CheckpointError) {
        var workspace = Workspace()
        try read(range, into: &bytes, &workspace)
    }
}

/// The elements of a stored float tensor, as they are.
package struct StoredFloats: FloatSource {
    package let dtype: FloatDType
    private let view: TensorView

    /// Takes a tensor; nil if it is no float tensor.
    package init?(_ view: TensorView) {
        guard let dtype = FloatDType(view.description.dtype) else { return nil }
        self.dtype = dtype
        self.view = view
    }

    package var elementCount: Int { view.description.elementCount }
    package var name: Name { view.storedName }
    package var fileName: String { view.fileName }

    package func read(
        _ range: Range<Int>,
        into bytes: inout MutableRawSpan,
        _ workspace: inout Workspace
    ) throws(CheckpointError) {
        try view.read(range, into: &bytes)
    }
}

/// Elements rounded to another type, to nearest, ties to even.
package struct RoundedFloats: FloatSource {
    package let base: any FloatSource
    package let dtype: FloatDType

    package init(_ base: any FloatSource, to dtype: FloatDType) {
        self.base = base
        self.dtype = dtype
    }

    package var elementCount: Int { base.elementCount }
    package var name: Name { base.name }
    package var fileName: String { base.fileName }

    /// - Throws: `num.overflow` if a finite element became infinite.
    package func read(
        _ range: Range<Int>,
        into bytes: inout MutableRawSpan,
        _ workspace: inout Workspace
    ) throws(CheckpointError) {
        let losses = try Self.read(range, of: base, to: dtype, into: &bytes, &workspace)
        if losses.overflowCount > 0 {
            throw try FloatScan(of: base).overflowError(to: dtype)
        }
    }

    /// What rounding lost.
    typealias Losses = ConvertFloatKernel.Losses

    static func read(
        _ range: Range<Int>,
        of base: any FloatSource,
        to dtype: FloatDType,
        into bytes: inout MutableRawSpan,
        _ workspace: inout Workspace
    ) throws(CheckpointError) -> Losses {
        let byteCount = range.count * base.dtype.byteCount
        var losses = Losses()
        try workspace.withBuffer(byteCount) { (buffer, workspace) throws(CheckpointError) in
            try buffer.withMutablePrefix(byteCount) { (input) throws(CheckpointError) in
                try base.read(range, into: &input, &workspace)
            }
            buffer.withPrefix(byteCount) { input in
                losses = ConvertFloatKernel.selected.convert(
                    input,
                    as: base.dtype,
                    into: &bytes,
                    as: dtype
                )
            }
        }
        return losses
    }
}
