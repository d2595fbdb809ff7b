#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

internal import Machine

/// Chooses tokens of one sequence.
struct Sampler {
    private let options: SamplingOptions
    private var generator: SplitMix64
    private var occurred: Set<Int>

    /// Starts behind a prompt.
    /// - Parameters:
    ///   - options: how to choose.
    ///   - prompt: tokens that count as occurred.
    ///   - stream: another one for each sequence of a batch.
    init(_ options: SamplingOptions, prompt: [Int], stream: Int) {
        self.options = options
        generator = SplitMix64(seed: options.seed &+ SplitMix64.word(UInt64(stream)))
        occurred = options.repetitionPenalty == 1 ? [] : Set(prompt)
    }

    /// A token that may come next.
    private struct Candidate {
        let token: Int
        var weight: Double
    }

    /// Candidates whose probability is less than this part of the first one's are left out: together
    /// they would be drawn once in ten thousand million times.
    private static let leastLogit: Float = 35

    /// Chooses a token by its logits, of which the first is taken if several are largest.
    mutating func choose(_ logits: ArraySlice<Float>) -> Int {
        var logits = Array(logits)
        for token in occurred {
            let logit = logits[token]
            logits[token] =
                logit > 0 ? logit / options.repetitionPenalty : logit * options.repetitionPenalty
        }
        let token = options.temperature == 0 ? Self.largest(logits) : draw(logits)
        if options.repetitionPenalty != 1 { occurred.insert(token) }
        return token
    }

    private static func largest(_ logits: [Float]) -> Int {
        var best = 0
        for token in logits.indices where logits[token] > logits[best] { best = token }
        return best
    }

    private mutating func draw(_ logits: [Float]) -> Int {
        let largest = logits[Self.largest(logits)]
        var candidates = Self.candidates(logits, largest, Self.leastLogit, options.temperature)
        if options.topK != nil || options.topP < 1 {
            let total = candidates.reduce(0) { $0 + $1.weight }
            // Few candidates have nearly all probability: those are sorted, and the others only if need be.
            for logit in [2, 5, 10, Self.leastLogit] {
                candidates = Self.candidates(logits, largest, logit, options.temperature)
                // Of equal ones the lower number first, so that nothing depends on how they are sorted.
                candidates.sort { ($1.weight, $0.token) < ($0.weight, $1.token) }
                if cut(&candidates, total, areAll: logit == Self.leastLogit) { break }
            }
        }
        // The most probable one has the weight 1.
        if options.minP > 0 { candidates.removeAll { $0.weight < Double(options.minP) } }
        let total = candidates.reduce(0) { $0 + $1.weight }
        var place = Double(generator.next() >> 11) * 0x1p-53 * total
        for candidate in candidates {
            place -= candidate.weight
            if place < 0 { return candidate.token }
        }
        return candidates.last?.token ?? 0
    }

    /// The tokens whose logits, divided by the temperature, are at most so much below the largest.
    private static func candidates(
        _ logits: [Float],
        _ largest: Float,
        _ below: Float,
        _ temperature: Float
    ) -> [Candidate] {
        let threshold = largest - below * temperature
        var candidates: [Candidate] = []
        for token in logits.indices where logits[token] >= threshold {
            let exponent = Double(logits[token] - largest) / Double(temperature)
            candidates.append(Candidate(token: token, weight: exp(exponent)))
        }
        return candidates
    }

    /// Cuts sorted candidates by number and by probability together.
    /// - Parameters:
    ///   - candidates: the most probable ones.
    ///   - total: the weight of all there are.
    ///   - areAll: whether there are no others.
    /// - Returns: whether they were enough to know where to cut.
    private func cut(_ candidates: inout [Candidate], _ total: Double, areAll: Bool) -> Bool {
        var total = total
        if let count = options.topK {
            guard count <= candidates.count || areAll else { return false }
            candidates.removeLast(max(candidates.count - count, 0))
            total = candidates.reduce(0) { $0 + $1.weight }
        }
        guard options.topP < 1 else { return true }
        var sum = 0.0
        let last = candidates.firstIndex { candidate in
            sum += candidate.weight
            return sum >= Double(options.topP) * total
        }
        guard let last else { return areAll }
        candidates.removeLast(candidates.count - 1 - last)
        return true
    }
}
