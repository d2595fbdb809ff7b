public import CheckpointIO
public import Machine
public import SIMDKernels

/// What the layers of a model share while some rows pass through them.
public struct LayerPass: Sendable {
    /// How operands of products with frozen weights are rounded.
    public let mode: ComputeMode
    /// The threads; results have the same bits for any number of them.
    public let workers: WorkerPool
    /// For each row the sample of the batch that it belongs to.
    public let samples: [Int]

    /// Describes a pass.
    public init(mode: ComputeMode, on workers: WorkerPool, samples: [Int]) {
        self.mode = mode
        self.workers = workers
        self.samples = samples
    }
}

/// A linear layer as layers of the same input are computed together: `y = x · Wᵀ + b + x · Aᵀ · B`.
public struct LinearParts: Sendable {
    /// The layer whose weight does not change.
    public let base: Linear
    /// What is added to its weight, for some rows or all.
    public let changes: [RowChange]

    /// Puts together a layer.
    public init(_ base: Linear, changes: [RowChange] = []) {
        self.base = base
        self.changes = changes
    }

    /// Computes the outputs.
    /// - Parameters:
    ///   - x: `M` rows of `K` activations.
    ///   - y: receives `M` rows of `N` numbers.
    ///   - pass: what the layers share; its samples are those of the rows.
    ///   - workspace: scratch memory.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    package func forward(
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        pass: LayerPass,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError) {
        try base.forward(x, into: &y, pass: pass, workspace: &workspace)
        for change in changes {
            change.addProduct(x, to: &y, inner: &workspace.inner, on: pass.workers)
        }
    }
}

/// What stands where a model has a linear layer: the layer itself, or one with adapters around it.
public protocol LinearLayer: Sendable {
    /// `N`, the outputs.
    var outputCount: Int { get }
    /// `K`, the inputs.
    var inputCount: Int { get }

    /// The parts of the layer in a pass; nil if it is computed in a way of its own.
    func parts(in pass: LayerPass) -> LinearParts?

    /// Computes the outputs.
    /// - Parameters:
    ///   - x: `M` rows of `K` activations.
    ///   - y: receives `M` rows of `N` numbers.
    ///   - pass: what the layers share; its samples are those of the rows.
    ///   - workspace: scratch memory.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    func forward(
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        pass: LayerPass,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError)
}

extension LinearLayer {
    /// Nil.
    public func parts(in pass: LayerPass) -> LinearParts? { nil }
}

extension Linear: LinearLayer {
    /// The layer itself.
    public func parts(in pass: LayerPass) -> LinearParts? { LinearParts(self) }

    /// Computes `y = x · Wᵀ + b`.
    public func forward(
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        pass: LayerPass,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError) {
        try forward(x, into: &y, mode: pass.mode, workspace: &workspace, on: pass.workers)
    }
}

/// What stands where a model looks its tokens up.
public protocol EmbeddingLayer: Sendable {
    /// `V`, the rows.
    var rowCount: Int { get }
    /// `D`, the width of a row.
    var width: Int { get }

    /// Looks rows up.
    /// - Parameters:
    ///   - tokens: each less than `V`.
    ///   - y: receives a row of `D` numbers for each token.
    ///   - pass: what the layers share; its samples are those of the tokens.
    ///   - workspace: scratch memory.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    func forward(
        _ tokens: [Int],
        into y: inout MutableSpan<Float>,
        pass: LayerPass,
        workspace: inout LayerWorkspace
    ) throws(CheckpointError)
}

extension Embedding: EmbeddingLayer {
    /// Looks rows up, scaled.
    public func forward(
        _ tokens: [Int],
        into y: inout MutableSpan<Float>,
        pass: LayerPass,
        workspace: inout LayerWorkspace
    ) {
        precondition(y.count == tokens.count * width, "\(y.count) numbers for rows of \(width)")
        for (place, token) in tokens.enumerated() {
            precondition(0..<rowCount ~= token, "token \(token) of \(rowCount)")
            let row = weight.row(token)
            for column in row.indices { y[place * width + column] = row[column] * scale }
        }
    }
}
