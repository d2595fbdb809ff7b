#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// What a model says about a text, token by token, and how far that is from what another one says.
public struct Evaluation: Sendable {
    /// The negative logarithm of the probability of each token that was predicted.
    public internal(set) var losses: [Double] = []
    /// What was compared with a reference; nil without one.
    public internal(set) var comparison: Comparison?

    /// The same predictions beside those of a reference.
    public struct Comparison: Sendable {
        /// The losses of the reference.
        public internal(set) var referenceLosses: [Double] = []
        /// For each token `KL(P ‖ Q) = Σ p (ln p - ln q)`, with `P` the reference's probabilities.
        public internal(set) var divergences: [Double] = []
        /// Tokens whose most probable successor is that of the reference.
        public internal(set) var sameTopCount = 0

        /// The part of tokens whose most probable successor is that of the reference.
        public var sameTopRate: Double {
            Double(sameTopCount) / Double(max(divergences.count, 1))
        }

        /// The perplexity of the reference.
        public var referencePerplexity: Estimate { .perplexity(of: referenceLosses) }

        /// The mean divergence.
        public var meanDivergence: Estimate { Estimate(divergences) }

        /// The divergence below which a part of the tokens lies.
        /// - Parameter part: from 0 to 1.
        /// - Returns: the divergence, in nats.
        public func divergence(percentile part: Double) -> Double {
            let sorted = divergences.sorted()
            guard !sorted.isEmpty else { return 0 }
            return sorted[min(Int(part * Double(sorted.count)), sorted.count - 1)]
        }

        /// The quotient of the perplexities, of the same tokens: its error is less than theirs.
        public func perplexityRatio(_ losses: [Double]) -> Estimate {
            .perplexity(of: zip(losses, referenceLosses).map { $0 - $1 })
        }
    }

    /// The perplexity: `e` to the power of the mean loss.
    public var perplexity: Estimate { .perplexity(of: losses) }

    /// A number with its standard error.
    public struct Estimate: Sendable, Hashable {
        /// The number.
        public let value: Double
        /// The deviation to expect from the number of tokens, as if they were independent.
        public let error: Double

        init(value: Double, error: Double) {
            self.value = value
            self.error = error
        }

        /// The mean of samples.
        init(_ samples: [Double]) {
            let count = Double(samples.count)
            let mean = samples.reduce(0, +) / max(count, 1)
            let squares = samples.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            value = mean
            error = count > 1 ? (squares / (count - 1) / count).squareRoot() : 0
        }

        static func perplexity(of losses: [Double]) -> Estimate {
            let mean = Estimate(losses)
            return Estimate(value: exp(mean.value), error: exp(mean.value) * mean.error)
        }
    }
}
