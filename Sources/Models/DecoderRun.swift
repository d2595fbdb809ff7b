public import CheckpointIO
public import Machine
public import SIMDKernels
public import Tensors

/// A model at work: its scratch memory, and the activations of the tokens that passed last.
public struct DecoderRun: ~Copyable {
    /// The model.
    public let model: LanguageModel
    /// How operands of products are rounded.
    public let mode: ComputeMode
    private let workers: WorkerPool
    private var buffers: DecoderBuffers
    private var hidden: [Float] = []
    /// For each row of them its sample.
    private var samples: [Int] = []
    /// The rows that are left, counted over all tokens of the chunks; nil if all are.
    private var keptRows: [Int]?

    /// The tokens of a chunk whose logits may be asked for.
    public enum Wanted: Sendable {
        /// All of them.
        case all
        /// The last: the others pass the last layer for their keys and values only.
        case last
    }

    /// Prepares to run a model.
    /// - Parameters:
    ///   - model: what to run.
    ///   - mode: how operands of products are rounded.
    ///   - workers: the threads; results have the same bits for any number of them.
    /// - Throws: `limit.memory`.
    public init(
        _ model: LanguageModel,
        mode: ComputeMode = .bfloat16,
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) {
        self.model = model
        self.mode = mode
        self.workers = workers
        buffers = try DecoderBuffers()
    }

    /// Passes tokens through all layers and adds them to their caches.
    /// - Parameters:
    ///   - chunks: of different sequences, each with a cache of its own.
    ///   - wanted: whose logits may be asked for afterwards.
    /// - Throws: `limit.memory`; the caches count the tokens then only if all layers were done.
    /// - Precondition: every token has a row in the embedding.
    public mutating func feed(
        _ chunks: [SequenceChunk],
        wanting wanted: Wanted = .all
    ) throws(CheckpointError) {
        let tokens = chunks.flatMap(\.tokens)
        for chunk in chunks { try chunk.cache.reserve(chunk.cache.count + chunk.tokens.count) }
        var pass = DecoderPass(chunks, model.settings.rotary, mode: mode, workers: workers)
        buffers.prepare(tokens.count, model.config)
        buffers.prepareScratch(
            model.layers.reduce(0) { max($0, $1.attention.scratchCount) } * workers.threadCount
        )
        DecoderBuffers.resize(&hidden, tokens.count * model.config.hiddenSize)
        try hidden.withMutableFloatSpan { (hidden) throws(CheckpointError) in
            try model.embedding.forward(
                tokens,
                into: &hidden,
                pass: pass.layers,
                workspace: &buffers.layers
            )
        }
        keptRows = wanted == .last && chunks.count < tokens.count ? pass.lastRows : nil
        for (index, layer) in model.layers.enumerated() {
            let isLast = index == model.layers.count - 1
            if isLast, keptRows != nil { pass.isForLastTokens = true }
            try layer.forward(&hidden, pass, index: index, &buffers)
        }
        samples = pass.outputs.samples
        for chunk in chunks { chunk.cache.append(chunk.tokens) }
    }

    /// Returns logits of some of the tokens that passed last.
    /// - Parameter rows: counted over all chunks.
    /// - Returns: `[rows, vocabulary]`.
    /// - Throws: `limit.memory`.
    public mutating func logits(_ rows: Range<Int>) throws(CheckpointError) -> Matrix {
        var logits = [Float](repeating: 0, count: rows.count * model.vocabularySize)
        try computeLogits(Array(rows), into: &logits)
        return Matrix(rowCount: rows.count, columnCount: model.vocabularySize, elements: logits)
    }

    /// Computes logits of some of the tokens that passed last.
    /// - Parameters:
    ///   - rows: counted over all chunks.
    ///   - logits: receives a row of the vocabulary for each; its length is set.
    /// - Throws: `limit.memory`.
    /// - Precondition: the rows were wanted when they passed.
    public mutating func computeLogits(
        _ rows: [Int],
        into logits: inout [Float]
    ) throws(CheckpointError) {
        let width = model.config.hiddenSize
        let rows = rows.map { row in
            guard let keptRows else { return row }
            guard let place = keptRows.firstIndex(of: row) else {
                preconditionFailure("the logits of row \(row) were not wanted")
            }
            return place
        }
        DecoderBuffers.resize(&logits, rows.count * model.vocabularySize)
        let pass = LayerPass(mode: mode, on: workers, samples: rows.map { samples[$0] })
        var selected = buffers.layers.take(rows.count * width)
        for (place, row) in rows.enumerated() {
            for column in 0..<width {
                selected[place * width + column] = hidden[row * width + column]
            }
        }
        try selected.withMutableFloatSpan { (selected) throws(CheckpointError) in
            model.finalNorm.apply(to: &selected, on: workers)
            try logits.withMutableFloatSpan { (logits) throws(CheckpointError) in
                try model.head.forward(
                    selected.span,
                    into: &logits,
                    pass: pass,
                    workspace: &buffers.layers
                )
            }
        }
        buffers.layers.giveBack(selected)
    }
}
