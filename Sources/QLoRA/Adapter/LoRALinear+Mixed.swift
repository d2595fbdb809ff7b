public import CheckpointIO
internal import LinearAlgebra
public import Machine
public import Models
public import SIMDKernels

extension LoRALinear {
    /// Computes the outputs of a batch whose samples have adapters of their own, for inference.
    ///
    /// The base's product is computed once for the whole batch; the rows of each adapter are then
    /// gathered. Which adapters are active does not matter.
    /// - Parameters:
    ///   - x: `M` rows of `K` activations.
    ///   - y: receives `M` rows of `N` numbers.
    ///   - names: an adapter's name for each sample, nil for the base alone. Samples have equally many rows,
    ///     one after the other. A name that this layer has not is the base.
    ///   - mode: how operands of the product with the base are rounded; the adapters' are float32.
    ///   - workspace: scratch memory.
    ///   - workers: the threads.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    /// - Precondition: the rows are a multiple of the samples.
    public func forward(
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        adapterOfSample names: [String?],
        mode: ComputeMode = .bfloat16,
        workspace: inout LayerWorkspace,
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) {
        let (inputs, outputs) = (base.inputCount, base.outputCount)
        let rows = inputs == 0 ? 0 : x.count / inputs
        precondition(
            !names.isEmpty && rows % names.count == 0,
            "\(rows) rows for \(names.count) samples"
        )
        let rowsOfSample = rows / names.count
        let groups = Dictionary(grouping: names.indices) { names[$0] ?? "" }
        let used = groups.keys.filter { adapters[$0] != nil }.sorted()
        let hasMagnitude = used.contains { adapters[$0]?.magnitude != nil }
        try base.weight.multiply(
            x,
            into: &y,
            mode: mode,
            bias: hasMagnitude ? nil : base.bias,
            accumulates: false,
            workspace: &workspace.products,
            on: workers
        )
        for name in used {
            guard let adapter = adapters[name], let samples = groups[name] else { continue }
            let own = samples.flatMap { $0 * rowsOfSample..<($0 + 1) * rowsOfSample }
            var gathered = workspace.take(own.count * inputs)
            var results = workspace.take(own.count * outputs)
            var product = workspace.take(own.count * adapter.rank)
            gathered.withMutableFloatSpan {
                Rows.gather(own, of: x, columnCount: inputs, into: &$0)
            }
            results.withMutableFloatSpan {
                Rows.gather(own, of: y.span, columnCount: outputs, into: &$0)
            }
            gathered.withFloatSpan { adapter.projectDown($0, into: &product, on: workers) }
            results.withMutableFloatSpan { adapter.addProjectionUp(product, to: &$0, on: workers) }
            if let magnitude = adapter.magnitude {
                let norms = try adapter.rowNorms(on: base, workspace: &workspace, workers: workers)
                let factors = adapter.rowFactors(magnitude: magnitude, norms: norms)
                results.withMutableFloatSpan {
                    Columns.scale(&$0, by: factors, adding: nil, on: workers)
                }
            }
            results.withFloatSpan { Rows.scatter($0, to: own, columnCount: outputs, of: &y) }
            workspace.giveBack(gathered)
            workspace.giveBack(results)
            workspace.giveBack(product)
        }
        if hasMagnitude { Columns.scale(&y, by: nil, adding: base.bias, on: workers) }
    }
}
