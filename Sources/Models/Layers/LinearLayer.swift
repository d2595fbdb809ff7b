public import CheckpointIO
public import Machine
public import SIMDKernels

/// What stands where a model has a linear layer: the layer itself, or one with adapters around it.
public protocol LinearLayer: Sendable {
    /// `N`, the outputs.
    var outputCount: Int { get }
    /// `K`, the inputs.
    var inputCount: Int { get }

    /// Computes the outputs.
    /// - Parameters:
    ///   - x: `M` rows of `K` activations.
    ///   - y: receives `M` rows of `N` numbers.
    ///   - mode: how operands of products with frozen weights are rounded.
    ///   - workspace: scratch memory.
    ///   - workers: the threads; the result has the same bits for any number of them.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    func forward(
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        mode: ComputeMode,
        workspace: inout LayerWorkspace,
        on workers: WorkerPool
    ) throws(CheckpointError)
}

extension Linear: LinearLayer {}

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
    func forward(_ tokens: ArraySlice<Int>, into y: inout MutableSpan<Float>)
}

extension Embedding: EmbeddingLayer {
    /// Looks rows up, scaled.
    public func forward(_ tokens: ArraySlice<Int>, into y: inout MutableSpan<Float>) {
        precondition(y.count == tokens.count * width, "\(y.count) numbers for rows of \(width)")
        for (place, token) in tokens.enumerated() {
            precondition(0..<rowCount ~= token, "token \(token) of \(rowCount)")
            let row = weight.row(token)
            for column in row.indices { y[place * width + column] = row[column] * scale }
        }
    }
}
