internal import Machine

/// Which activations reach the factors of adapters: all in evaluation, a random part in
/// training, then divided by the probability of being kept.
///
/// What is dropped is a function of seed, adapter and position alone, so that the backward pass draws
/// it again in place of keeping it.
public struct Dropout: Sendable {
    private enum Source: Sendable {
        case none
        case seed(UInt64)
        case masks([[Bool]])
    }

    private let source: Source

    /// Evaluation: nothing is dropped.
    public static let off = Dropout(source: .none)

    /// Training: every adapter drops activations with its own probability.
    /// - Parameter seed: another one for each layer and step.
    /// - Returns: the same masks for the same seed.
    public static func seeded(_ seed: UInt64) -> Dropout { Dropout(source: .seed(seed)) }

    /// Training with given masks, in the order of the active adapters; true is kept.
    package static func kept(_ masks: [[Bool]]) -> Dropout { Dropout(source: .masks(masks)) }

    /// Whether adapters drop anything.
    var isOff: Bool { if case .none = source { true } else { false } }

    /// Writes `x ⊙ k`: kept activations divided by the probability of being kept, and zeros.
    /// - Parameters:
    ///   - x: activations, or gradients.
    ///   - result: receives as many.
    ///   - position: the adapter's among the active ones.
    ///   - probability: of an activation to be dropped, 0 ... 1.
    func apply(
        to x: Span<Float>,
        into result: inout MutableSpan<Float>,
        position: Int,
        probability: Double
    ) {
        precondition(x.count == result.count, "\(x.count) activations for \(result.count)")
        let factor: Float = probability < 1 ? Float(1 / (1 - probability)) : 0
        switch source {
        case .none:
            for index in x.indices { result[index] = x[index] }
        case .masks(let masks):
            let mask = masks[position]
            precondition(mask.count == x.count, "a mask of \(mask.count) for \(x.count)")
            for index in x.indices { result[index] = mask[index] ? x[index] * factor : 0 }
        case .seed(let seed):
            let threshold = UInt64(probability * 0x1p32)
            let stream = SplitMix64.word(seed &+ SplitMix64.word(UInt64(position) &+ 1))
            for index in x.indices {
                let word = SplitMix64.word(stream &+ UInt64(index)) >> 32
                result[index] = word >= threshold ? x[index] * factor : 0
            }
        }
    }
}
