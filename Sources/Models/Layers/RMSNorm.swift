public import Machine
internal import SIMDKernels

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

    /// Normalizes rows in place.
    func apply(to x: inout MutableSpan<Float>, on workers: WorkerPool) {
        workers.perform(writing: &x, every: Self.rowsOfTile * weight.count) { _, _, rows in
            TransformerKernel.selected.normalize(&rows, weight: weight, epsilon: epsilon)
        }
    }
}
