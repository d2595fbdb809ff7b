public import Machine
internal import SIMDKernels
internal import Synchronization

/// Scales rows to a root mean square of one: `y = x / √(mean(x²) + ε) ⊙ w` (Zhang & Sennrich 2019,
/// equation 4).
public struct RMSNorm: Sendable {
    /// `w`, a factor for each channel.
    public let weight: [Float]
    /// `ε`.
    public let epsilon: Float

    /// Makes a layer.
    public init(weight: [Float], epsilon: Float) {
        self.weight = weight
        self.epsilon = epsilon
    }

    private static let rowsOfTile = 16

    /// Normalizes rows.
    /// - Parameters:
    ///   - x: rows of as many numbers as there are channels.
    ///   - y: receives as many.
    ///   - workers: the threads.
    public func forward(
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        on workers: WorkerPool
    ) {
        let tile = Self.rowsOfTile * weight.count
        workers.perform(writing: &y, every: tile) { index, _, rows in
            let own = x.extracting(index * tile..<index * tile + rows.count)
            TransformerKernel.selected.normalize(own, weight: weight, epsilon: epsilon, into: &rows)
        }
    }

    /// Adds the gradients.
    ///
    /// - Parameters:
    ///   - dy: those in the outputs, rows of as many numbers as there are channels.
    ///   - x: what was normalized.
    ///   - dx: those in `x`, added to.
    ///   - dweight: those in the weight, added to; none are computed if it is empty.
    ///   - workers: the threads; sums have the same bits for any number of them.
    func addGradient(
        _ dy: Span<Float>,
        of x: Span<Float>,
        to dx: inout MutableSpan<Float>,
        _ dweight: inout [Float],
        on workers: WorkerPool
    ) {
        let tile = Self.rowsOfTile * weight.count
        let sums = Mutex<[Int: [Float]]>([:])
        let count = dweight.count
        workers.perform(writing: &dx, every: tile) { index, _, rows in
            let own = index * tile..<index * tile + rows.count
            var sum = [Float](repeating: 0, count: count)
            TransformerKernel.selected.addNormGradient(
                dy.extracting(own),
                of: x.extracting(own),
                weight: weight,
                epsilon: epsilon,
                to: &rows,
                &sum
            )
            if count > 0 { sums.withLock { $0[index] = sum } }
        }
        // In the order of the rows.
        for (_, sum) in sums.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
            for place in sum.indices { dweight[place] += sum[place] }
        }
    }

    /// Normalizes rows in place.
    func apply(to x: inout MutableSpan<Float>, on workers: WorkerPool) {
        workers.perform(writing: &x, every: Self.rowsOfTile * weight.count) { _, _, rows in
            TransformerKernel.selected.normalize(&rows, weight: weight, epsilon: epsilon)
        }
    }
}
