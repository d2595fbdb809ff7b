package import CheckpointIO
package import Machine
package import Tensors

/// Splits weights into what the model keeps and tensors of a file beside it, such as the factors of an
/// adapter that makes up for what quantization loses.
package protocol WeightDecomposer: Sendable {
    /// The weights that are split.
    var names: Set<Name> { get }
    /// What is written of each.
    var kept: KeptPart { get }
    /// The file beside the model.
    var sideFile: SideFile { get }

    /// The tensors of a weight in the file beside the model, without their bytes.
    func sideTensors(of name: Name) -> [TensorDescription]

    /// The most bytes that splitting a weight takes, the weight itself included.
    func byteCount(forRows rowCount: Int, columns columnCount: Int) -> Int

    /// Splits a weight.
    /// - Parameters:
    ///   - weight: `[N, K]`.
    ///   - name: one of `names`.
    ///   - config: how it is to be quantized; nil if it is not.
    ///   - dtype: the type of the weight in the model.
    ///   - workers: the threads; the result has the same bits for any number of them.
    /// - Returns: its parts.
    /// - Throws: `num.…`, and what makes the weight one that cannot be split.
    func decompose(
        _ weight: Matrix,
        of name: Name,
        config: QuantizationConfig?,
        dtype: FloatDType,
        on workers: WorkerPool
    ) throws(CheckpointError) -> Decomposition

    /// Lines of `__metadata__` in the file beside the model, from what was noted of the weights.
    func sideMetadata(_ notes: [Name: JSONObject]) -> [SafetensorsLayout.Metadata]

    /// Other folders that are read, which the output must not be in.
    var sources: [String] { get }
    /// What decides the result, for the journal.
    var fingerprintFields: [Fingerprint.Field] { get }
}

/// What a model keeps of the weights that are split.
package enum KeptPart: Sendable, Hashable {
    /// A quantized weight, as the conversion says; floats where it leaves them.
    case quantized
    /// Floats of the weight's type.
    case floats
    /// Nothing: only the file beside the model is written.
    case nothing
}

/// A file beside a model's weights, and texts that belong to it.
package struct SideFile: Sendable {
    /// Its path below the output's folder.
    package let path: String
    /// Other files, whole.
    package let texts: [(path: String, text: String)]

    package init(path: String, texts: [(path: String, text: String)]) {
        self.path = path
        self.texts = texts
    }
}

/// A weight that was split.
package struct Decomposition: Sendable {
    /// What the model keeps.
    package enum Kept: Sendable {
        case quantized(QuantizedMatrix)
        /// `[N, K]`, to be rounded to the weight's type.
        case floats(Matrix)
        case nothing
    }

    package let kept: Kept
    /// The tensors of the file beside the model, as announced.
    package let side: [TensorBytes]
    /// What is to be known of it when the run is over, or goes on another day.
    package let note: JSONObject

    package init(_ kept: Kept, side: [TensorBytes], note: JSONObject) {
        self.kept = kept
        self.side = side
        self.note = note
    }
}
