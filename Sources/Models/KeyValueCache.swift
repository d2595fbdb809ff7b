public import CheckpointIO
internal import Machine
internal import SIMDKernels

/// The keys and values of the tokens of one sequence that a model has seen, for every layer.
///
/// Keys lie in blocks of 16 tokens, `[blocks][heads · width][16]`, values as `[tokens][heads · width]`,
/// all in float32. One thread at a time uses a cache.
public final class KeyValueCache {
    /// The tokens that are in it.
    public internal(set) var count = 0
    /// The tokens that fit without growing.
    private(set) var capacity = 0
    private let width: Int
    private let layerCount: Int
    private let budget: MemoryBudget?
    private var keys: [Storage] = []
    private var values: [Storage] = []

    /// Numbers that grow.
    private final class Storage {
        var buffer: AlignedBuffer

        init(_ count: Int, _ budget: MemoryBudget?) throws(CheckpointError) {
            buffer = try AlignedBuffer.allocate(byteCount: 4 * count, budget: budget)
        }

        func grow(
            to count: Int,
            keeping used: Int,
            _ budget: MemoryBudget?
        ) throws(CheckpointError) {
            var larger = try AlignedBuffer.allocate(byteCount: 4 * count, budget: budget)
            buffer.withFloats(used) { old in
                larger.withMutableFloats(used) { new in
                    for index in old.indices { new[index] = old[index] }
                }
            }
            buffer = larger
        }
    }

    /// Makes an empty cache.
    /// - Parameters:
    ///   - layerCount: layers of the model.
    ///   - width: the channels of the keys of a token, all heads together.
    ///   - budget: what the memory is counted against.
    init(layerCount: Int, width: Int, budget: MemoryBudget?) {
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
            for _ in 0..<layerCount {
                keys.append(try Storage(wanted * width, budget))
                values.append(try Storage(wanted * width, budget))
            }
        } else {
            let used = (count + block - 1) / block * block * width
            for storage in keys + values {
                try storage.grow(to: wanted * width, keeping: used, budget)
            }
        }
        capacity = wanted
    }

    /// Forgets all tokens from a position on.
    /// - Precondition: there are so many.
    public func truncate(to tokens: Int) {
        precondition(0...count ~= tokens, "\(tokens) of \(count) tokens")
        count = tokens
    }

    /// Stores keys and values of the tokens behind those that are counted.
    func store(_ newKeys: Span<Float>, _ newValues: Span<Float>, layer: Int) {
        let block = AttentionShape.keyBlock
        let (width, start) = (width, count)
        let rows = newKeys.count / width
        keys[layer].buffer.withMutableFloats(capacity * width) { keys in
            for row in 0..<rows {
                let position = start + row
                let place = position / block * block * width + position % block
                for channel in 0..<width {
                    keys[place + channel * block] = newKeys[row * width + channel]
                }
            }
        }
        values[layer].buffer.withMutableFloats(capacity * width) { values in
            for index in newValues.indices { values[start * width + index] = newValues[index] }
        }
    }

    /// Calls `body` with all keys and values of a layer.
    func withKeysAndValues<Result>(
        layer: Int,
        _ body: (Span<Float>, Span<Float>) -> Result
    ) -> Result {
        keys[layer].buffer.withFloats(capacity * width) { keys in
            values[layer].buffer.withFloats(capacity * width) { values in body(keys, values) }
        }
    }
}
