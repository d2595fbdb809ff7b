public import CheckpointIO
internal import Machine
internal import Quant
package import SIMDKernels
public import Tensors

/// The keys and values of the tokens of one sequence that a model has seen, for every layer.
///
/// They are float32 or rounded to bfloat16, and lie as `TransformerKernel.store` puts them. One thread at a
/// time uses a cache.
public final class KeyValueCache {
    /// The tokens that are in it.
    public private(set) var tokens: [Int] = []
    /// How many tokens are in it.
    public var count: Int { tokens.count }
    /// The tokens that fit without growing.
    private(set) var capacity = 0
    /// The type of keys and values.
    public let dtype: FloatDType
    private let width: Int
    private let layerCount: Int
    private let budget: MemoryBudget?
    private var keys: [Storage] = []
    private var values: [Storage] = []

    /// Numbers that grow.
    private final class Storage {
        var buffer: AlignedBuffer

        init(_ byteCount: Int, _ budget: MemoryBudget?) throws(CheckpointError) {
            buffer = try AlignedBuffer.allocate(byteCount: byteCount, budget: budget)
        }

        func grow(
            to byteCount: Int,
            keeping used: Int,
            _ budget: MemoryBudget?
        ) throws(CheckpointError) {
            var larger = try AlignedBuffer.allocate(byteCount: byteCount, budget: budget)
            buffer.withPrefix(used) { old in
                larger.withMutablePrefix(used) { $0.copy(from: old) }
            }
            buffer = larger
        }
    }

    /// Makes an empty cache.
    /// - Parameters:
    ///   - layerCount: layers of the model.
    ///   - width: the channels of the keys of a token, all heads together.
    ///   - dtype: of keys and values, float32 or bfloat16.
    ///   - budget: what the memory is counted against.
    init(layerCount: Int, width: Int, as dtype: FloatDType, budget: MemoryBudget?) {
        precondition(dtype != .float16, "a cache in float16")
        self.dtype = dtype
        self.layerCount = layerCount
        self.width = width
        self.budget = budget
    }

    /// The bytes it holds.
    package var byteCount: Int {
        (keys + values).reduce(0) { $0 + $1.buffer.byteCount }
    }

    /// Makes room for so many tokens in all.
    /// - Throws: `limit.memory`.
    public func reserve(_ tokens: Int) throws(CheckpointError) {
        guard tokens > capacity else { return }
        let block = AttentionShape.keyBlock
        // Half as much again, so that copying takes its share of the time and no more.
        let wanted = (max(tokens, capacity + capacity / 2) + block - 1) / block * block
        if keys.isEmpty {
            // All of them or none.
            var made: [Storage] = []
            for _ in 0..<2 * layerCount {
                made.append(try Storage(wanted * width * dtype.byteCount, budget))
            }
            (keys, values) = (Array(made[..<layerCount]), Array(made[layerCount...]))
        } else {
            let used = (count + block - 1) / block * block * width * dtype.byteCount
            for storage in keys + values {
                try storage.grow(to: wanted * width * dtype.byteCount, keeping: used, budget)
            }
        }
        capacity = wanted
    }

    /// Forgets all tokens from a position on.
    /// - Precondition: there are so many.
    public func truncate(to tokens: Int) {
        precondition(0...count ~= tokens, "\(tokens) of \(count) tokens")
        self.tokens.removeLast(count - tokens)
    }

    /// Returns how many tokens need not pass again where another sequence begins as this one does.
    ///
    /// Its last token always passes: there are no logits of it here.
    public func reusableCount(for sequence: [Int]) -> Int {
        zip(tokens, sequence.dropLast()).prefix { $0 == $1 }.count
    }

    /// Counts tokens whose keys and values all layers have stored.
    func append(_ newTokens: [Int]) { tokens += newTokens }

    /// Stores keys and values of the tokens behind those that are counted.
    func store(
        _ newKeys: Span<Float>,
        _ newValues: Span<Float>,
        layer: Int,
        on workers: WorkerPool
    ) {
        keys[layer].buffer.withMutableBytes { keys in
            values[layer].buffer.withMutableBytes { values in
                TransformerKernel.selected.store(
                    newKeys,
                    newValues,
                    at: count,
                    width: width,
                    keys: &keys,
                    values: &values,
                    as: dtype,
                    on: workers
                )
            }
        }
    }

    /// Calls `body` with all keys and values of a layer.
    func withKeysAndValues<Result>(layer: Int, _ body: (RawSpan, RawSpan) -> Result) -> Result {
        keys[layer].buffer.withBytes { keys in
            values[layer].buffer.withBytes { values in body(keys, values) }
        }
    }
}

extension ComputeMode {
    /// The type of keys and values that goes with a mode: rounded, where operands are.
    package var cacheDType: FloatDType { self == .float32 ? .float32 : .bfloat16 }
}
