public import CheckpointIO
public import Machine
public import SIMDKernels
public import Tensors

/// A quantized weight in the order in which products read it: made once, used by every product.
///
/// 4-bit weights whose scales change only at multiples of eight columns are interleaved by panels of
/// 16 rows (`PackedPanels`), with scales in float32: as many bytes as the canonical codes, and
/// exactly reversible. All others keep their order and are dequantized a few rows at a time.
public final class PreparedWeight: Sendable {
    /// `N`, the outputs.
    public let rowCount: Int
    /// `K`, the inputs.
    public let columnCount: Int
    /// What the codes mean.
    public let config: QuantizationConfig
    let storage: Storage

    /// How codes and scales lie.
    enum Storage: Sendable {
        case packed(PackedCodes)
        case canonical(QuantizedMatrix)
    }

    /// Codes and scales in panels.
    final class PackedCodes: Sendable {
        let panels: PackedPanels
        let values: Codebook4Bit
        let codes: AlignedBuffer
        let scales: AlignedBuffer

        init(
            _ panels: PackedPanels,
            of weight: QuantizedMatrix,
            values: Codebook4Bit,
            budget: MemoryBudget?
        ) throws(CheckpointError) {
            var codes = try AlignedBuffer.allocate(byteCount: panels.codeByteCount, budget: budget)
            var scales = try AlignedBuffer.allocate(
                byteCount: 4 * panels.scaleCount,
                budget: budget
            )
            weight.codes.withRawSpan { source in
                weight.absmax.values.withFloatSpan { absmax in
                    codes.withMutableBytes { codes in
                        scales.withMutableFloats(panels.scaleCount) { scales in
                            panels.pack(
                                codes: source,
                                scales: absmax,
                                blockSize: weight.config.blockSize.rawValue,
                                into: &codes,
                                &scales
                            )
                        }
                    }
                }
            }
            self.panels = panels
            self.values = values
            self.codes = codes
            self.scales = scales
        }
    }

    /// Prepares a weight.
    /// - Parameters:
    ///   - weight: what to multiply with.
    ///   - budget: what the copy is counted against.
    /// - Throws: `limit.memory`.
    public init(
        _ weight: QuantizedMatrix,
        budget: MemoryBudget? = nil
    ) throws(CheckpointError) {
        rowCount = weight.rowCount
        columnCount = weight.columnCount
        config = weight.config
        let panels =
            weight.config.format.is4Bit
            ? PackedPanels(
                rowCount: weight.rowCount,
                columnCount: weight.columnCount,
                blockSize: weight.config.blockSize.rawValue
            ) : nil
        if let panels, let values = weight.config.format.kernelCodebook {
            storage = .packed(
                try PackedCodes(panels, of: weight, values: values, budget: budget)
            )
        } else {
            storage = .canonical(weight)
        }
    }

    /// Whether products read panels; else they dequantize rows first, which is slow.
    public var isPacked: Bool {
        if case .packed = storage { true } else { false }
    }
}

/// Scratch memory for products: kept by whoever makes many of them, so that none allocates.
public struct ProductWorkspace: ~Copyable {
    var activations: AlignedBuffer

    /// Makes an empty workspace; it grows with the first products.
    /// - Throws: `limit.memory`.
    public init() throws(CheckpointError) {
        activations = try AlignedBuffer.allocate(byteCount: 0)
    }
}

extension PreparedWeight {
    /// Multiplies: `y = x · Wᵀ` (+ bias) (+ y).
    ///
    /// The result has the same bits for any number of threads. With a packed weight, `.bfloat16`
    /// rounds activations and values of codes and sums in float32; each sum is within `K + 2`
    /// roundings of float32 of the exact one of its operands. `.float32` rounds nothing but the sums.
    /// - Parameters:
    ///   - x: `M` rows of `K` activations, row by row.
    ///   - y: receives `M` rows of `N` numbers.
    ///   - mode: how operands are rounded.
    ///   - bias: `N` numbers, added to every row.
    ///   - accumulates: whether the result is added to what `y` holds.
    ///   - workspace: scratch memory.
    ///   - workers: the threads.
    /// - Throws: `limit.memory` if the workspace cannot grow.
    /// - Precondition: the counts fit.
    public func multiply(
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        mode: ComputeMode = .bfloat16,
        bias: [Float]? = nil,
        accumulates: Bool = false,
        workspace: inout ProductWorkspace,
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) {
        let rows = columnCount == 0 ? y.count / max(rowCount, 1) : x.count / columnCount
        precondition(
            x.count == rows * columnCount && y.count == rows * rowCount,
            "\(x.count) activations and \(y.count) outputs for [\(rowCount), \(columnCount)]"
        )
        var options = ProductOptions()
        options.bias = bias
        options.accumulates = accumulates
        switch storage {
        case .packed(let packed):
            do throws(AllocationError) {
                try packed.multiply(x, rows, into: &y, mode, options, &workspace, workers)
            } catch {
                throw CheckpointError(error)
            }
        case .canonical(let weight):
            try weight.multiplyRows(x, rows, into: &y, mode, options, workers)
        }
    }
}

extension PreparedWeight.PackedCodes {
    fileprivate func multiply(
        _ x: Span<Float>,
        _ rows: Int,
        into y: inout MutableSpan<Float>,
        _ mode: ComputeMode,
        _ options: ProductOptions,
        _ workspace: inout ProductWorkspace,
        _ workers: WorkerPool
    ) throws(AllocationError) {
        func run(_ kernel: some Multiply4BitKernel) throws(AllocationError) {
            try codes.withBytes { (codes) throws(AllocationError) in
                try scales.withFloats(panels.scaleCount) { (scales) throws(AllocationError) in
                    try kernel.multiply(
                        x,
                        rowCount: rows,
                        with: panels,
                        codes: codes,
                        scales: scales,
                        values: values,
                        into: &y,
                        options: options,
                        scratch: &workspace.activations,
                        on: workers
                    )
                }
            }
        }
        switch mode {
        case .float32: try run(Multiply4BitFloat32Kernel.selected)
        case .bfloat16: try run(Multiply4BitBFloat16Kernel.selected)
        }
    }
}

extension QuantizedMatrix {
    /// Returns `x · Wᵀ`, `[M, N]`: the outputs of a linear layer with this weight for rows of
    /// activations.
    ///
    /// For one product; who makes many keeps a `PreparedWeight` and a `ProductWorkspace`.
    /// - Parameters:
    ///   - x: `[M, K]`.
    ///   - mode: how operands are rounded.
    ///   - bias: `N` numbers, added to every row.
    /// - Returns: `[M, N]`.
    /// - Throws: `limit.memory`.
    /// - Precondition: `x.columnCount == columnCount`.
    public func multiplied(
        by x: Matrix,
        mode: ComputeMode = .bfloat16,
        bias: [Float]? = nil
    ) throws(CheckpointError) -> Matrix {
        precondition(
            x.columnCount == columnCount,
            "\(x.columnCount) activations a row for [\(rowCount), \(columnCount)]"
        )
        let weight = try PreparedWeight(self)
        var workspace = try ProductWorkspace()
        var y = [Float](repeating: 0, count: x.rowCount * rowCount)
        try x.elements.withFloatSpan { (x) throws(CheckpointError) in
            try y.withMutableFloatSpan { (y) throws(CheckpointError) in
                try weight.multiply(x, into: &y, mode: mode, bias: bias, workspace: &workspace)
            }
        }
        return Matrix(rowCount: x.rowCount, columnCount: rowCount, elements: y)
    }
}
