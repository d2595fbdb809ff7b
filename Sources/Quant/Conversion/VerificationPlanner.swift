internal import CheckpointIO
internal import Tensors

/// Turns a checkpoint into the jobs of a verification.
struct VerificationPlanner {
    /// One tensor, its job, and what is wrong before anything of it is read.
    struct Item: Sendable {
        let view: TensorView
        let stored: StoredQuantization?
        /// Nil if it cannot be read as what it should be.
        let job: (any TensorJob)?
        let finding: CheckpointError?
        let isCompared: Bool
    }

    private let checkpoint: Checkpoint
    private let source: Checkpoint?
    private(set) var items: [Item] = []

    init(_ checkpoint: Checkpoint, against source: Checkpoint?) {
        self.checkpoint = checkpoint
        self.source = source
        for view in checkpoint.tensors { append(view) }
    }

    private mutating func append(_ view: TensorView) {
        let name = view.description.name
        if let (weight, _) = QuantizedNames.weight(ofSideTensor: name) {
            if checkpoint[weight] == nil { appendOrphan(view, weight) }
            return
        }
        do throws(CheckpointError) {
            let stored = try StoredQuantization(view, in: checkpoint)
            let byteCount = stored?.storedByteCount ?? view.storedByteCount
            let floats: (any FloatSource)? =
                stored.map { DequantizedFloats($0, as: .float32) } ?? StoredFloats(view)
            guard let floats else {
                items.append(
                    Item(
                        view: view,
                        stored: nil,
                        job: ReadJob(view: view),
                        finding: nil,
                        isCompared: false
                    )
                )
                return
            }
            let (original, finding) = original(of: view, stored)
            items.append(
                Item(
                    view: view,
                    stored: stored,
                    job: VerifyJob(
                        name: name,
                        source: floats,
                        original: original,
                        sourceByteCount: byteCount
                    ),
                    finding: finding,
                    isCompared: original != nil
                )
            )
        } catch {
            items.append(
                Item(view: view, stored: nil, job: nil, finding: error, isCompared: false)
            )
        }
    }

    private mutating func appendOrphan(_ view: TensorView, _ weight: Name) {
        let finding = CheckpointError(
            .modelTensorUnexpected,
            "it belongs to the quantized weight \"\(weight)\", which is not there",
            file: view.fileName,
            tensor: view.description.name
        )
        items.append(Item(view: view, stored: nil, job: nil, finding: finding, isCompared: false))
    }

    /// Finds what a tensor was made of, in the same shape.
    private func original(
        of view: TensorView,
        _ stored: StoredQuantization?
    ) -> ((any FloatSource)?, CheckpointError?) {
        guard let source else { return (nil, nil) }
        let name = view.description.name
        func finding(_ code: CheckpointError.Code, _ message: String) -> CheckpointError {
            CheckpointError(code, message, file: view.fileName, tensor: name)
        }
        guard let sourceView = source[name] else {
            return (nil, finding(.modelTensorMissing, "the source has no such tensor"))
        }
        var shape = sourceView.description.shape
        var floats: (any FloatSource)?
        do throws(CheckpointError) {
            if let quantized = try StoredQuantization(sourceView, in: source) {
                floats = DequantizedFloats(quantized, as: .float32)
                shape = [quantized.rowCount, quantized.columnCount]
                // Floats that lie the other way round than codes do.
                let kind = checkpoint.moduleKind(of: view.description)
                if stored == nil, kind == .convolution1D, let base = floats {
                    shape.reverse()
                    floats = TransposedFloats(base, rowCount: shape[0], columnCount: shape[1])
                }
            } else {
                floats = StoredFloats(sourceView)
                let kind = source.moduleKind(of: sourceView.description)
                if stored != nil, kind == .convolution1D, shape.count == 2, let base = floats {
                    shape.reverse()
                    floats = TransposedFloats(base, rowCount: shape[0], columnCount: shape[1])
                }
            }
        } catch {
            return (nil, error)
        }
        let own = stored.map { [$0.rowCount, $0.columnCount] } ?? view.description.shape
        guard let floats, shape == own else {
            return (
                nil,
                finding(
                    .configShape,
                    "the source has \(sourceView.storedType) \(shape), not \(own)"
                )
            )
        }
        return (floats, nil)
    }
}
