internal import CheckpointIO
internal import LinearAlgebra
internal import Machine
internal import QLoRA
internal import Quant
internal import Synchronization
internal import Tensors

/// The elements of a weight `[N, K]` with adapters merged into it, computed as they are read.
///
/// Whole rows at a time: `W ← W + ΔW`, with a magnitude `W ← m / ‖W₀ + ΔW‖ ⊙ (W + ΔW)` by rows, one
/// adapter after the other; then rows of tokens take the place of others. In float32, sums of squares in
/// Double.
struct MergedFloats: FloatSource {
    let base: any FloatSource
    let rowCount: Int
    let columnCount: Int
    let merges: [Merge]
    /// Rows that an adapter has instead.
    let rows: [Int: [Float]]

    /// One adapter's part.
    struct Merge: Sendable {
        /// Its factors, read when they are needed.
        let factors: LazyFactors
        /// DoRA of an embedding scales columns; of everything else rows.
        let columnFactors: [Float]?
    }

    var dtype: FloatDType { .float32 }
    var elementCount: Int { base.elementCount }
    var name: Name { base.name }
    var fileName: String { base.fileName }

    /// Whole rows.
    var tileElementCount: Int {
        max(1, base.tileElementCount / max(columnCount, 1)) * max(columnCount, 1)
    }

    func read(_ range: Range<Int>, into bytes: inout MutableRawSpan) throws(CheckpointError) {
        guard !range.isEmpty else { return }
        let first = range.lowerBound / columnCount
        let end = (range.upperBound - 1) / columnCount + 1
        let count = (end - first) * columnCount
        var values = [Float](repeating: 0, count: count)
        try values.withMutableFloatBytes { (bytes) throws(CheckpointError) in
            try base.read(first * columnCount..<end * columnCount, into: &bytes)
        }
        let original = merges.count > 1 ? values : []
        for (index, merge) in merges.enumerated() {
            try add(merge, index == 0 ? nil : original, first..<end, to: &values)
        }
        for row in first..<end {
            guard let replaced = rows[row] else { continue }
            let start = (row - first) * columnCount
            values.replaceSubrange(start..<start + columnCount, with: replaced)
        }
        let offset = 4 * (range.lowerBound - first * columnCount)
        values.withFloatBytes {
            bytes.copy(from: $0.extracting(offset..<offset + 4 * range.count))
        }
    }

    /// Merges an adapter into some rows; `original` are the same rows without any adapter, nil if they
    /// are that as yet.
    private func add(
        _ merge: Merge,
        _ original: [Float]?,
        _ range: Range<Int>,
        to values: inout [Float]
    ) throws(CheckpointError) {
        let adapter = try merge.factors.adapter()
        var delta = [Float](repeating: 0, count: values.count)
        let rank = adapter.rank
        adapter.a.elements.withFloatSpan { a in
            adapter.b.elements.withFloatSpan { b in
                delta.withMutableFloatSpan {
                    BLAS.multiply(
                        b.extracting(range.lowerBound * rank..<range.upperBound * rank),
                        a,
                        into: &$0,
                        shape: ProductShape(
                            rowCount: range.count,
                            columnCount: columnCount,
                            innerCount: rank
                        ),
                        scale: Float(adapter.scaling),
                        on: .single
                    )
                }
            }
        }
        var rowFactors: [Float]?
        if merge.columnFactors == nil, let magnitude = adapter.magnitude {
            rowFactors = Self.norms(original ?? values, delta, columnCount).enumerated().map {
                $1 == 0 ? 1 : magnitude[range.lowerBound + $0] / $1
            }
        }
        values.withMutableFloatSpan { values in
            delta.withFloatSpan {
                Rows.add($0, to: &values, columnCount: columnCount, thenScalingBy: rowFactors)
            }
            guard let factors = merge.columnFactors else { return }
            Columns.scale(&values, by: factors, adding: nil, on: .single)
        }
    }

    private static func norms(_ x: [Float], _ y: [Float], _ columnCount: Int) -> [Float] {
        x.withFloatSpan { x in
            y.withFloatSpan { Rows.norms(ofSumOf: x, $0, columnCount: columnCount) }
        }
    }
}

/// The factors of an adapted module, read when they are needed and forgotten when others are.
///
/// `adapter()` turns an embedding's factors, which go from rows to their width, into those of a weight
/// `[V, D]`.
final class LazyFactors: Sendable {
    private let layer: BoundAdapter.Layer
    private let weight: Double

    /// Tiles of a weight come one after the other, so few have to be in memory.
    private static let recent = Mutex<[(owner: LazyFactors, adapter: LoRAAdapter)]>([])
    private static let recentCount = 4

    init(_ layer: BoundAdapter.Layer, weight: Double) {
        self.layer = layer
        self.weight = weight
    }

    func adapter() throws(CheckpointError) -> LoRAAdapter {
        let known = Self.recent.withLock { recent in recent.first { $0.owner === self }?.adapter }
        if let known { return known }
        // Outside the lock; two workers may read the same factors at once.
        let read = try layer.adapter(weight: weight)
        let adapter = layer.target.module.kind == .embedding ? Self.ofEmbedding(read) : read
        Self.recent.withLock { recent in
            recent.append((self, adapter))
            if recent.count > Self.recentCount { recent.removeFirst() }
        }
        return adapter
    }

    private static func ofEmbedding(_ adapter: LoRAAdapter) -> LoRAAdapter {
        LoRAAdapter(
            a: adapter.b.transposed(),
            b: adapter.a.transposed(),
            scaling: adapter.scaling
        )
    }
}

/// Elements with others added to them, such as biases.
struct SummedFloats: FloatSource {
    let base: any FloatSource
    let added: [Float]

    var dtype: FloatDType { .float32 }
    var elementCount: Int { base.elementCount }
    var name: Name { base.name }
    var fileName: String { base.fileName }

    func read(_ range: Range<Int>, into bytes: inout MutableRawSpan) throws(CheckpointError) {
        var values = [Float](repeating: 0, count: range.count)
        try values.withMutableFloatBytes { (bytes) throws(CheckpointError) in
            try base.read(range, into: &bytes)
        }
        for index in values.indices { values[index] += added[range.lowerBound + index] }
        values.withFloatBytes { bytes.copy(from: $0) }
    }
}
