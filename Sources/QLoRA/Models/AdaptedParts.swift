package import CheckpointIO
internal import LinearAlgebra
package import Machine
package import Models
internal import SIMDKernels
internal import Tensors

/// A linear layer of a model with active adapters.
package struct AdaptedLinear: LinearLayer {
    let layer: LoRALinear
    /// All adapters as one change; nil if one of them scales rows.
    private let change: LowRankChange?

    package init(_ layer: LoRALinear, in arena: MemoryArena) throws(CheckpointError) {
        self.layer = layer
        change = try LowRankChange(layer.active, in: arena)
    }

    package func parts(in pass: LayerPass) -> LinearParts? {
        guard let change, pass.mode != .float32 else { return nil }
        return LinearParts(layer.base, changes: [RowChange(change, rows: 0..<pass.samples.count)])
    }

    package var outputCount: Int { layer.base.outputCount }
    package var inputCount: Int { layer.base.inputCount }

    package func forward(
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        pass: LayerPass,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError) {
        if let parts = parts(in: pass) {
            try parts.forward(x, into: &y, pass: pass, workspace: &workspace)
            return
        }
        var saved = LoRALinear.Saved()
        try layer.forward(
            x,
            into: &y,
            mode: pass.mode,
            saved: &saved,
            workspace: &workspace,
            on: pass.workers
        )
        for buffer in saved.products { workspace.giveBack(buffer) }
    }
}

/// A head that has other rows for some tokens: `y[t] = x · row`, without a bias.
struct HeadWithRows: LinearLayer {
    let base: any LinearLayer
    let rows: ModelAdapter.TokenRows

    var outputCount: Int { base.outputCount }
    var inputCount: Int { base.inputCount }

    func forward(
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        pass: LayerPass,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError) {
        try base.forward(x, into: &y, pass: pass, workspace: &workspace)
        let count = rows.tokens.count
        var logits = workspace.take(pass.samples.count * count)
        let shape = ProductShape(
            rowCount: pass.samples.count,
            columnCount: count,
            innerCount: inputCount,
            transposesB: true
        )
        rows.rows.elements.withFloatSpan { rows in
            logits.withMutableFloatSpan {
                BLAS.multiply(x, rows, into: &$0, shape: shape, on: pass.workers)
            }
        }
        for row in 0..<pass.samples.count {
            for (index, token) in rows.tokens.enumerated() {
                y[row * outputCount + token] = logits[row * count + index]
            }
        }
        workspace.giveBack(logits)
    }
}

/// A linear layer of a batch in which each sample has an adapter of its own.
package struct MixedLinear: LinearLayer {
    /// The layer with all adapters that leave its weight as it is.
    let shared: LoRALinear
    /// The layer as those have it that do not.
    let separate: [String: any LinearLayer]
    let adapterOfSample: [String?]
    /// The shared layer's adapters; nil if one of them scales rows.
    private let changes: [String: LowRankChange]?

    package init(
        shared: LoRALinear,
        separate: [String: any LinearLayer],
        adapterOfSample: [String?],
        in arena: MemoryArena
    ) throws(CheckpointError) {
        self.shared = shared
        self.separate = separate
        self.adapterOfSample = adapterOfSample
        var changes: [String: LowRankChange] = [:]
        for (name, adapter) in shared.adapters {
            changes[name] = try LowRankChange([adapter], in: arena)
        }
        self.changes = changes.count == shared.adapters.count ? changes : nil
    }

    package func parts(in pass: LayerPass) -> LinearParts? {
        guard let changes, separate.isEmpty, pass.mode != .float32 else { return nil }
        var own: [RowChange] = []
        var first = 0
        // Neighbours with the same adapter together.
        while first < pass.samples.count {
            let name = adapterOfSample[pass.samples[first]]
            let end =
                pass.samples[first...].firstIndex { adapterOfSample[$0] != name }
                ?? pass.samples.count
            if let change = name.flatMap({ changes[$0] }) {
                own.append(RowChange(change, rows: first..<end))
            }
            first = end
        }
        return LinearParts(shared.base, changes: own)
    }

    package var outputCount: Int { shared.base.outputCount }
    package var inputCount: Int { shared.base.inputCount }

    package func forward(
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        pass: LayerPass,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError) {
        if let parts = parts(in: pass) {
            try parts.forward(x, into: &y, pass: pass, workspace: &workspace)
            return
        }
        let names = pass.samples.map { adapterOfSample[$0] }
        try shared.forward(
            x,
            into: &y,
            adapterOfSample: names,
            mode: pass.mode,
            workspace: &workspace,
            on: pass.workers
        )
        for (name, layer) in separate.sorted(by: { $0.key < $1.key }) {
            let rows = names.indices.filter { names[$0] == name }
            guard !rows.isEmpty else { continue }
            var gathered = workspace.take(rows.count * inputCount)
            var results = workspace.take(rows.count * outputCount)
            gathered.withMutableFloatSpan {
                Rows.gather(rows, of: x, columnCount: inputCount, into: &$0)
            }
            let own = LayerPass(
                mode: pass.mode,
                on: pass.workers,
                samples: rows.map { pass.samples[$0] }
            )
            try gathered.withFloatSpan { (gathered) throws(CheckpointError) in
                try results.withMutableFloatSpan { (results) throws(CheckpointError) in
                    try layer.forward(gathered, into: &results, pass: own, workspace: &workspace)
                }
            }
            results.withFloatSpan { Rows.scatter($0, to: rows, columnCount: outputCount, of: &y) }
            workspace.giveBack(gathered)
            workspace.giveBack(results)
        }
    }
}

/// The embedding of a model with active adapters, or other rows for some tokens.
struct AdaptedEmbedding: EmbeddingLayer {
    let layer: LoRAEmbedding
    let rows: ModelAdapter.TokenRows?

    var rowCount: Int { layer.base.rowCount }
    var width: Int { layer.base.width }

    func forward(
        _ tokens: [Int],
        into y: inout MutableSpan<Float>,
        pass: LayerPass,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError) {
        let found = try layer.forward(tokens, workspace: &workspace).y
        for index in found.elements.indices { y[index] = found.elements[index] }
        guard let rows else { return }
        for (place, token) in tokens.enumerated() {
            // Of rows that stand twice the last counts.
            guard let row = rows.tokens.lastIndex(of: token) else { continue }
            for column in 0..<width {
                y[place * width + column] = rows.rows[row, column] * layer.base.scale
            }
        }
    }
}

/// The embedding of a batch in which each sample has an adapter of its own.
struct MixedEmbedding: EmbeddingLayer {
    let base: Embedding
    let separate: [String: any EmbeddingLayer]
    let adapterOfSample: [String?]

    var rowCount: Int { base.rowCount }
    var width: Int { base.width }

    func forward(
        _ tokens: [Int],
        into y: inout MutableSpan<Float>,
        pass: LayerPass,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError) {
        base.forward(tokens, into: &y, pass: pass, workspace: &workspace)
        for (name, layer) in separate.sorted(by: { $0.key < $1.key }) {
            let places = tokens.indices.filter { adapterOfSample[pass.samples[$0]] == name }
            guard !places.isEmpty else { continue }
            var results = workspace.take(places.count * width)
            try results.withMutableFloatSpan { (results) throws(CheckpointError) in
                try layer.forward(
                    places.map { tokens[$0] },
                    into: &results,
                    pass: pass,
                    workspace: &workspace
                )
            }
            results.withFloatSpan { Rows.scatter($0, to: places, columnCount: width, of: &y) }
            workspace.giveBack(results)
        }
    }
}
