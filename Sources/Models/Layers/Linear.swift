public import CheckpointIO
public import Machine
internal import Quant
public import SIMDKernels
internal import Synchronization

/// A linear layer, `y = x · Wᵀ + b`, over a dense or quantized weight that does not change.
///
/// Its gradient in the activations needs only the weight, so the layer saves nothing.
public final class Linear: Sendable {
    /// `W`, `[N, K]`.
    public let weight: any LinearWeight
    /// `b`, `N` numbers, or none.
    public let bias: [Float]?
    private let norms = Mutex<[Double]?>(nil)

    /// Makes a layer.
    /// - Precondition: the bias has as many elements as the weight has rows.
    public init(_ weight: any LinearWeight, bias: [Float]? = nil) {
        precondition(
            bias.map { $0.count == weight.rowCount } ?? true,
            "\(bias?.count ?? 0) biases for \(weight.rowCount) outputs"
        )
        self.weight = weight
        self.bias = bias
    }

    /// `N`, the outputs.
    public var outputCount: Int { weight.rowCount }
    /// `K`, the inputs.
    public var inputCount: Int { weight.columnCount }

    /// Computes `y = x · Wᵀ + b`.
    /// - Parameters:
    ///   - x: `M` rows of `K` activations.
    ///   - y: receives `M` rows of `N` numbers.
    ///   - mode: how operands are rounded.
    ///   - workspace: scratch memory.
    ///   - workers: the threads.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    public func forward(
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        mode: ComputeMode = .bfloat16,
        workspace: inout LayerWorkspace,
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) {
        try weight.multiply(
            x,
            into: &y,
            mode: mode,
            bias: bias,
            accumulates: false,
            workspace: &workspace.products,
            on: workers
        )
    }

    /// Computes the gradient in the activations, `dx = dy · W`.
    /// - Parameters:
    ///   - dy: `M` rows of `N` gradients.
    ///   - dx: receives `M` rows of `K` numbers.
    ///   - mode: how operands are rounded; `.int8` stands for `.bfloat16` here.
    ///   - workspace: scratch memory.
    ///   - workers: the threads.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    public func backward(
        _ dy: Span<Float>,
        into dx: inout MutableSpan<Float>,
        mode: ComputeMode = .bfloat16,
        workspace: inout LayerWorkspace,
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) {
        try weight.multiplyTransposed(
            dy,
            into: &dx,
            mode: mode.ofGradients,
            accumulates: false,
            workspace: &workspace.products,
            on: workers
        )
    }

    /// `Σₖ W[j, k]²` for each row, computed once.
    package func squaredRowNorms(on workers: WorkerPool) -> [Double] {
        if let known = norms.withLock({ $0 }) { return known }
        // Outside the lock: the pool may run other work meanwhile, and both results are the same.
        let computed = weight.squaredRowNorms(on: workers)
        norms.withLock { $0 = computed }
        return computed
    }
}

extension ComputeMode {
    /// The mode of the gradients of products in this mode: there are none in int8.
    package var ofGradients: ComputeMode { self == .int8 ? .bfloat16 : self }
}
