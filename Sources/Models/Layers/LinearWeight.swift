public import CheckpointIO
public import Machine
public import Quant
public import SIMDKernels
public import Tensors

/// The weight `[N, K]` of a linear layer, dense or quantized: outputs by inputs, whatever its order in
/// files.
///
/// It is frozen: gradients reach the activations through it, and never itself.
public protocol LinearWeight: Sendable {
    /// `N`, the outputs.
    var rowCount: Int { get }
    /// `K`, the inputs.
    var columnCount: Int { get }
    /// The type of its elements, or of those it was quantized from.
    var dtype: FloatDType { get }

    /// Multiplies: `y = x · Wᵀ` (+ bias) (+ y).
    /// - Parameters:
    ///   - x: `M` rows of `K` activations, row by row.
    ///   - y: receives `M` rows of `N` numbers.
    ///   - mode: how operands are rounded.
    ///   - bias: `N` numbers, added to every row.
    ///   - accumulates: whether the result is added to what `y` holds.
    ///   - workspace: scratch memory.
    ///   - workers: the threads; the result has the same bits for any number of them.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    func multiply(
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        mode: ComputeMode,
        bias: [Float]?,
        accumulates: Bool,
        workspace: inout ProductWorkspace,
        on workers: WorkerPool
    ) throws(CheckpointError)

    /// Multiplies with the weight as it lies: `dx = dy · W` (+ dx).
    /// - Parameters:
    ///   - dy: `M` rows of `N` gradients, row by row.
    ///   - dx: receives `M` rows of `K` numbers.
    ///   - mode: how operands are rounded; not `.int8`.
    ///   - accumulates: whether the result is added to what `dx` holds.
    ///   - workspace: scratch memory.
    ///   - workers: the threads; the result has the same bits for any number of them.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    func multiplyTransposed(
        _ dy: Span<Float>,
        into dx: inout MutableSpan<Float>,
        mode: ComputeMode,
        accumulates: Bool,
        workspace: inout ProductWorkspace,
        on workers: WorkerPool
    ) throws(CheckpointError)

    /// Returns `Σₖ W[j, k]²` for each row `j`.
    /// - Parameter workers: the threads; the result has the same bits for any number of them.
    /// - Returns: `N` numbers.
    func squaredRowNorms(on workers: WorkerPool) -> [Double]

    /// Returns a copy in float32, to merge adapters into: the only time that one is made.
    func dequantized() -> Matrix
}

extension PreparedWeight: LinearWeight {
    /// Returns `fl(value(code) · absmax)` for each element.
    public func dequantized() -> Matrix { quantizedMatrix().dequantized() }
}
