package import CheckpointIO
internal import LinearAlgebra
internal import Machine
internal import Quant
internal import Tensors

/// The norms of the weights that an adapter belongs to, where it belongs to a base that was made together
/// with it: on any other base it would change what it was made to restore.
///
/// They are in the file's `__metadata__`, an object of modules and numbers as text.
package struct BaseCheck: Sendable, Hashable {
    /// The key in `__metadata__`.
    package static let metadataKey = "base_norms"
    /// So many rows of each weight are looked at.
    package static let rowCount = 64
    /// Rounding a base to 16 bits changes a norm less, another quantization of many rows mostly more.
    private static let tolerance = 2e-4

    /// As the file has it.
    private let text: String
    private let norms: [Entry]

    private struct Entry: Sendable, Hashable {
        let module: String
        let norm: Double
    }

    /// The line of `__metadata__`.
    var metadata: SafetensorsLayout.Metadata { .init(Name(Self.metadataKey), Name(text)) }

    /// Reads the norms of a file; nil if it has none.
    /// - Throws: `json.…` for a text that is none.
    init?(_ file: SafetensorsFile) throws(CheckpointError) {
        let key = Name(Self.metadataKey)
        guard let text = try file.header.metadata.optionalString(key) else { return nil }
        let json = try JSONObject(parsing: Array(text.utf8))
        self.text = text
        norms = try json.members.map { (member) throws(CheckpointError) in
            Entry(module: member.key.text, norm: try json.double(member.key))
        }
    }

    /// The Frobenius norm of the first rows, summed in Double.
    package static func norm(_ rows: [Float]) -> Double {
        rows.withFloatSpan { Rows.sumOfSquares($0) }.squareRoot()
    }

    /// Looks whether a base is the one.
    /// - Throws: `adapter.wrongBase` for the first module whose weight is another one; what reading throws.
    package func check(_ checkpoint: Checkpoint) throws(CheckpointError) {
        for entry in norms {
            let (module, expected) = (entry.module, entry.norm)
            guard let view = checkpoint[Name(module + ".weight")],
                let found = try Self.norm(of: view, in: checkpoint)
            else { continue }
            guard abs(found - expected) > Self.tolerance * expected else { continue }
            throw CheckpointError(
                .adapterWrongBase,
                "the weight is not the one that the adapter was made with",
                file: AdapterFileName.weights,
                tensor: Name(module + ".weight"),
                expected: "a norm of \(expected) in the first rows",
                found: "\(found)",
                hint: "take the base that was written together with the adapter"
            )
        }
    }

    private static func norm(
        of view: TensorView,
        in checkpoint: Checkpoint
    ) throws(CheckpointError) -> Double? {
        let source: any FloatSource
        var shape = view.description.shape
        if let stored = try StoredQuantization(view, in: checkpoint) {
            shape = [stored.rowCount, stored.columnCount]
            source = DequantizedFloats(stored, as: .float32)
        } else if let stored = StoredFloats(view), shape.count == 2 {
            var floats: any FloatSource =
                stored.dtype == .float32 ? stored : RoundedFloats(stored, to: .float32)
            if checkpoint.moduleKind(of: view.description) == .convolution1D {
                shape.reverse()
                floats = TransposedFloats(floats, rowCount: shape[0], columnCount: shape[1])
            }
            source = floats
        } else {
            return nil
        }
        let count = min(rowCount, shape[0]) * shape[1]
        var rows = [Float](repeating: 0, count: count)
        try rows.withMutableFloatBytes { (bytes: inout MutableRawSpan) throws(CheckpointError) in
            try source.read(0..<count, into: &bytes)
        }
        return norm(rows)
    }
}
