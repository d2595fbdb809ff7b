#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

public import CheckpointIO
public import Machine
internal import SIMDKernels

extension LanguageModel {
    /// Predicts every token of a text from those before it.
    /// - Parameters:
    ///   - tokens: of the text, at least two, each of the model's.
    ///   - reference: a model with the same tokens, whose predictions are compared.
    ///   - options: how the text is cut.
    ///   - workers: the threads; the result has the same bits for any number of them.
    ///   - progress: called with the number of tokens that passed; false ends the work.
    /// - Returns: losses of all predicted tokens; of as many as there were when the work was ended.
    /// - Throws: `model.context` if windows are longer than a model's context; `config.shape` if the
    ///   reference has other tokens; `limit.memory`.
    public func evaluate(
        _ tokens: [Int],
        against reference: LanguageModel? = nil,
        options: EvaluationOptions = EvaluationOptions(),
        on workers: WorkerPool = .shared(),
        progress: (_ tokens: Int) -> Bool = { _ in true }
    ) throws(CheckpointError) -> Evaluation {
        for model in [self, reference].compactMap({ $0 }) { try model.checkWindow(options) }
        if let reference, reference.vocabularySize != vocabularySize {
            throw CheckpointError(
                .configShape,
                "the reference has another vocabulary",
                expected: "\(vocabularySize) tokens",
                found: "\(reference.vocabularySize)"
            )
        }
        var evaluation = Evaluation()
        if reference != nil { evaluation.comparison = .init() }
        var run = try DecoderRun(self, mode: options.mode, on: workers)
        var referenceRun = try DecoderRun(reference ?? self, mode: options.mode, on: workers)
        let (count, dtype) = (
            min(options.windowTokenCount, tokens.count), options.mode.cacheDType
        )
        let cache = try makeCache(reserving: count, as: dtype)
        let referenceCache = try reference?.makeCache(reserving: count, as: dtype)
        // Logits of a few rows at a time: all of them would take more than the model.
        let rowsAtOnce = max(1 << 22 / vocabularySize, 1)
        var scores = RowScores(vocabularySize, workers)
        for window in options.windows(tokenCount: tokens.count) {
            let own = Array(tokens[window.tokens])
            cache.truncate(to: 0)
            try run.feed([SequenceChunk(own, following: cache)])
            if let referenceCache {
                referenceCache.truncate(to: 0)
                try referenceRun.feed([SequenceChunk(own, following: referenceCache)])
            }
            var first = own.count - 1 - window.predictedCount
            while first < own.count - 1 {
                let rows = Array(first..<min(first + rowsAtOnce, own.count - 1))
                let targets = rows.map { own[$0 + 1] }
                try run.computeLogits(rows, into: &scores.logits)
                if reference != nil {
                    try referenceRun.computeLogits(rows, into: &scores.referenceLogits)
                }
                scores.add(targets, to: &evaluation)
                first += rows.count
            }
            guard progress(window.tokens.upperBound) else { break }
        }
        return evaluation
    }

    private func checkWindow(_ options: EvaluationOptions) throws(CheckpointError) {
        guard let contextLength, options.windowTokenCount > contextLength else { return }
        throw CheckpointError(
            .modelContext,
            "the windows are longer than the model's context",
            expected: "at most \(contextLength) tokens",
            found: "\(options.windowTokenCount)"
        )
    }
}

/// Turns rows of logits into losses and divergences, without all of them ever being there at once.
private struct RowScores {
    var logits: [Float] = []
    var referenceLogits: [Float] = []
    private let width: Int
    private let workers: WorkerPool

    init(_ width: Int, _ workers: WorkerPool) {
        self.width = width
        self.workers = workers
    }

    private struct Score: Sendable {
        var loss = 0.0
        var referenceLoss = 0.0
        var divergence = 0.0
        var hasSameTop = false
    }

    func add(_ targets: [Int], to evaluation: inout Evaluation) {
        let hasReference = evaluation.comparison != nil
        let scores: [Score] = logits.withFloatSpan { logits in
            referenceLogits.withFloatSpan { reference in
                workers.map(targets.count) { row, _ in
                    let range = row * width..<(row + 1) * width
                    let own = logits.extracting(range)
                    return hasReference
                        ? compared(own, reference.extracting(range), targets[row])
                        : Score(loss: Softmax(own).loss(own[targets[row]]))
                }
            }
        }
        evaluation.losses += scores.map(\.loss)
        guard hasReference else { return }
        evaluation.comparison?.referenceLosses += scores.map(\.referenceLoss)
        evaluation.comparison?.divergences += scores.map(\.divergence)
        evaluation.comparison?.sameTopCount += scores.count(where: \.hasSameTop)
    }

    private func compared(_ own: Span<Float>, _ reference: Span<Float>, _ target: Int) -> Score {
        let (softmax, other) = (Softmax(own), Softmax(reference))
        // Σ p (ln p - ln q), with ln p = logit - shift.
        let shift = other.logarithmOfSum - softmax.logarithmOfSum
        var sum = 0.0
        for token in reference.indices {
            let difference = Double(reference[token]) - Double(own[token]) - shift
            sum += Double(other.exponentials[token]) * difference
        }
        return Score(
            loss: softmax.loss(own[target]),
            referenceLoss: other.loss(reference[target]),
            divergence: sum / other.sum,
            hasSameTop: softmax.top == other.top
        )
    }
}

/// What turns logits into probabilities.
private struct Softmax {
    /// `e^(logit - largest)` of each token.
    let exponentials: [Float]
    let sum: Double
    /// `ln Σ e^logit`.
    let logarithmOfSum: Double

    init(_ logits: Span<Float>) {
        var copy = unsafe logits.withUnsafeBufferPointer { unsafe Array($0) }
        let (maximum, sum) = copy.withMutableFloatSpan {
            TransformerKernel.selected.exponentials(&$0)
        }
        exponentials = copy
        self.sum = sum
        logarithmOfSum = Double(maximum) + log(sum)
    }

    /// `-ln p` of a token with a logit.
    func loss(_ logit: Float) -> Double { logarithmOfSum - Double(logit) }

    /// The most probable token, the first of several.
    var top: Int? { exponentials.firstIndex(of: 1) }
}
