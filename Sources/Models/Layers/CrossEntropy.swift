#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

internal import CheckpointIO
internal import Machine
internal import SIMDKernels
internal import Synchronization

/// The loss of predicting tokens, `Σ -log softmax(logits)[target]`, through a head whose weight does not
/// change.
///
/// Logits exist for a few rows at a time: those of a whole sequence would take more memory than the model.
struct CrossEntropy {
    /// Turns activations into logits.
    let head: Linear
    let pass: LayerPass

    /// Rows whose logits exist at the same time.
    private static let rowsAtOnce = 64

    /// Computes the loss, and its gradient.
    /// - Parameters:
    ///   - x: rows of activations.
    ///   - targets: the token that each row should predict; nil counts for nothing.
    ///   - scale: a factor of the gradient, such as one over the number of targets.
    ///   - dx: receives the gradient in `x`, or is empty if none is wanted.
    ///   - workspace: scratch memory.
    /// - Returns: the sum over all targets, and their number.
    /// - Throws: `limit.memory`.
    /// - Precondition: there are as many targets as rows, all less than the vocabulary.
    func loss(
        _ x: Span<Float>,
        targets: [Int?],
        scale: Float = 1,
        into dx: inout MutableSpan<Float>,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError) -> (sum: Double, count: Int) {
        let (width, vocabulary) = (head.inputCount, head.outputCount)
        precondition(
            x.count == targets.count * width && (dx.isEmpty || dx.count == x.count),
            "\(targets.count) targets for \(x.count) activations in rows of \(width)"
        )
        var result = (sum: 0.0, count: 0)
        for first in stride(from: 0, to: targets.count, by: Self.rowsAtOnce) {
            let rows = first..<min(first + Self.rowsAtOnce, targets.count)
            let place = rows.lowerBound * width..<rows.upperBound * width
            var logits = workspace.take(rows.count * vocabulary)
            try logits.withMutableFloatSpan { (logits) throws(CheckpointError) in
                try head.forward(
                    x.extracting(place),
                    into: &logits,
                    mode: pass.mode,
                    workspace: &workspace,
                    on: pass.workers
                )
                let losses = Self.losses(&logits, targets[rows], scale, pass.workers)
                for loss in losses.compactMap({ $0 }) {
                    result.sum += loss
                    result.count += 1
                }
                guard !dx.isEmpty else { return }
                var own = dx._mutatingExtracting(place)
                try head.backward(
                    logits.span,
                    into: &own,
                    mode: pass.mode.ofGradients,
                    workspace: &workspace,
                    on: pass.workers
                )
            }
            workspace.giveBack(logits)
        }
        return result
    }

    /// The losses of rows of logits, which become the gradients: `scale · (softmax - 1 at the target)`.
    private static func losses(
        _ logits: inout MutableSpan<Float>,
        _ targets: ArraySlice<Int?>,
        _ scale: Float,
        _ workers: WorkerPool
    ) -> [Double?] {
        let vocabulary = logits.count / targets.count
        let losses = Mutex([Double?](repeating: nil, count: targets.count))
        workers.perform(writing: &logits, every: vocabulary) { index, _, row in
            guard let target = targets[targets.startIndex + index] else {
                for place in row.indices { row[place] = 0 }
                return
            }
            precondition(0..<vocabulary ~= target, "target \(target) of \(vocabulary)")
            let logit = row[target]
            let (maximum, sum) = TransformerKernel.selected.exponentials(&row)
            losses.withLock { $0[index] = log(sum) + Double(maximum) - Double(logit) }
            let factor = scale / Float(sum)
            for place in row.indices { row[place] *= factor }
            row[target] -= scale
        }
        return losses.withLock { $0 }
    }
}
