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

    func read(
        _ range: Range<Int>,
        into bytes: inout MutableRawSpan,
        _ workspace: inout Workspace
    ) throws(CheckpointError) {
        guard !range.isEmpty else { return }
        let first = range.lowerBound / columnCount
        let end = (range.upperBound - 1) / columnCount + 1
        let byteCount = 4 * (end - first) * columnCount
        try workspace.withBuffer(byteCount) { (values, workspace) throws(CheckpointError) in
            try values.withMutablePrefix(byteCount) { (bytes) throws(CheckpointError) in
                try base.read(first * columnCount..<end * columnCount, into: &bytes, &workspace)
            }
            try merge(first..<end, into: &values, &workspace)
            replaceRows(first..<end, in: &values)
            let offset = 4 * (range.lowerBound - first * columnCount)
            values.withPrefix(byteCount) {
                bytes.copy(from: $0.extracting(offset..<offset + 4 * range.count))
            }
        }
    }

    /// Merges the adapters, one after the other, into some rows.
    private func merge(
        _ range: Range<Int>,
        into values: inout AlignedBuffer,
        _ workspace: inout Workspace
    ) throws(CheckpointError) {
        guard let first = merges.first else { return }
        let byteCount = 4 * range.count * columnCount
        try workspace.withBuffer(byteCount) { (delta, workspace) throws(CheckpointError) in
            guard merges.count > 1 else {
                let adapter = try first.factors.adapter()
                compute(&delta, adapter, range)
                let factors = rowFactors(first, adapter, values, delta, range)
                add(delta, factors, first, to: &values, range.count)
                return
            }
            // Norms are those of the rows without any adapter.
            try workspace.withBuffer(byteCount) { (original, _) throws(CheckpointError) in
                values.withPrefix(byteCount) { values in
                    original.withMutablePrefix(byteCount) { $0.copy(from: values) }
                }
                for merge in merges {
                    let adapter = try merge.factors.adapter()
                    compute(&delta, adapter, range)
                    let factors = rowFactors(merge, adapter, original, delta, range)
                    add(delta, factors, merge, to: &values, range.count)
                }
            }
        }
    }

    /// `ΔW = scaling · B · A` of some rows.
    private func compute(
        _ delta: inout AlignedBuffer,
        _ adapter: LoRAAdapter,
        _ range: Range<Int>
    ) {
        let rank = adapter.rank
        adapter.a.elements.withFloatSpan { a in
            adapter.b.elements.withFloatSpan { b in
                delta.withMutableFloats(range.count * columnCount) {
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
    }

    /// `m / ‖W₀ + ΔW‖` of some rows; nil without a magnitude of rows.
    private func rowFactors(
        _ merge: Merge,
        _ adapter: LoRAAdapter,
        _ original: borrowing AlignedBuffer,
        _ delta: borrowing AlignedBuffer,
        _ range: Range<Int>
    ) -> [Float]? {
        guard merge.columnFactors == nil, let magnitude = adapter.magnitude else { return nil }
        let count = range.count * columnCount
        let norms = original.withFloats(count) { original in
            delta.withFloats(count) {
                Rows.norms(ofSumOf: original, $0, columnCount: columnCount)
            }
        }
        return norms.enumerated().map { $1 == 0 ? 1 : magnitude[range.lowerBound + $0] / $1 }
    }

    private func add(
        _ delta: borrowing AlignedBuffer,
        _ rowFactors: [Float]?,
        _ merge: Merge,
        to values: inout AlignedBuffer,
        _ rowCount: Int
    ) {
        let count = rowCount * columnCount
        values.withMutableFloats(count) { values in
            delta.withFloats(count) {
                Rows.add($0, to: &values, columnCount: columnCount, thenScalingBy: rowFactors)
            }
            guard let factors = merge.columnFactors else { return }
            Columns.scale(&values, by: factors, adding: nil, on: .single)
        }
    }

    private func replaceRows(_ range: Range<Int>, in values: inout AlignedBuffer) {
        guard !rows.isEmpty else { return }
        values.withMutableFloats(range.count * columnCount) { values in
            for row in range {
                guard let replaced = rows[row] else { continue }
                let start = (row - range.lowerBound) * columnCount
                for (column, value) in replaced.enumerated() { values[start + column] = value }
            }
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

    func read(
        _ range: Range<Int>,
        into bytes: inout MutableRawSpan,
        _ workspace: inout Workspace
    ) throws(CheckpointError) {
        let byteCount = 4 * range.count
        try workspace.withBuffer(byteCount) { (values, workspace) throws(CheckpointError) in
            try values.withMutablePrefix(byteCount) { (bytes) throws(CheckpointError) in
                try base.read(range, into: &bytes, &workspace)
            }
            values.withMutableFloats(range.count) { values in
                for index in values.indices { values[index] += added[range.lowerBound + index] }
            }
            values.withPrefix(byteCount) { bytes.copy(from: $0) }
        }
    }
}
