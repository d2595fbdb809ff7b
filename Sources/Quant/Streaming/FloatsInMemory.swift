package import CheckpointIO
package import Tensors

/// Elements that are in memory already.
package struct FloatsInMemory: FloatSource {
    private let bytes: [UInt8]
    package let dtype: FloatDType
    package let name: Name
    package let fileName = "memory"

    /// Takes the bytes of elements, little-endian.
    package init(_ bytes: [UInt8], as dtype: FloatDType, name: Name = "") {
        precondition(
            bytes.count % dtype.byteCount == 0,
            "\(bytes.count) bytes are no whole number of \(dtype.rawValue) elements"
        )
        self.bytes = bytes
        self.dtype = dtype
        self.name = name
    }

    package var elementCount: Int { bytes.count / dtype.byteCount }

    package func read(
        _ range: Range<Int>,
        into target: inout MutableRawSpan,
        _ workspace: inout Workspace
    ) throws(CheckpointError) {
        let size = dtype.byteCount
        bytes.withRawSpan { source in
            target.copy(from: source.extracting(range.lowerBound * size..<range.upperBound * size))
        }
    }
}

/// The elements of a matrix.
package struct MatrixFloats: FloatSource {
    private let matrix: Matrix
    package let name: Name
    package let fileName = "memory"

    package init(_ matrix: Matrix, name: Name = "") {
        self.matrix = matrix
        self.name = name
    }

    package var dtype: FloatDType { .float32 }
    package var elementCount: Int { matrix.elements.count }

    package func read(
        _ range: Range<Int>,
        into target: inout MutableRawSpan,
        _ workspace: inout Workspace
    ) throws(CheckpointError) {
        matrix.elements.withFloatBytes { source in
            target.copy(from: source.extracting(4 * range.lowerBound..<4 * range.upperBound))
        }
    }
}
