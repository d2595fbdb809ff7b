public import CheckpointIO
internal import LinearAlgebra
public import Machine
public import Quant
public import SIMDKernels
public import Tensors

/// A dense weight `[N, K]` in float32, bfloat16 or float16.
///
/// 16-bit elements stay so in memory; products widen them, exactly, in registers. Every compute mode
/// multiplies in float32.
public final class DenseWeight: LinearWeight {
    /// `N`, the outputs.
    public let rowCount: Int
    /// `K`, the inputs.
    public let columnCount: Int
    /// The type of the elements in memory.
    public let dtype: FloatDType
    /// Whether the elements lie as `[K, N]`, as GPT-2's `Conv1D` stores them.
    public let isTransposed: Bool
    /// In float32 as they are, else as the bytes of their type.
    private let elements: [Float]
    private let narrowElements: NarrowElements

    /// Elements of two bytes, in memory of their own or in the file they come from.
    private enum NarrowElements: ~Copyable, Sendable {
        case owned(AlignedBuffer)
        case mapped(MappedElements)

        borrowing func withBytes<Result>(_ body: (RawSpan) -> Result) -> Result {
            switch self {
            case .owned(let buffer): buffer.withBytes(body)
            case .mapped(let elements): elements.withBytes(body)
            }
        }
    }

    /// Makes a weight of a matrix as files hold it, `[N, K]` or transposed.
    /// - Parameters:
    ///   - stored: the elements.
    ///   - dtype: what they are rounded to.
    ///   - isTransposed: whether `stored` is `[K, N]`.
    public init(_ stored: Matrix, as dtype: FloatDType = .float32, isTransposed: Bool = false) {
        rowCount = isTransposed ? stored.columnCount : stored.rowCount
        columnCount = isTransposed ? stored.rowCount : stored.columnCount
        self.dtype = dtype
        self.isTransposed = isTransposed
        guard dtype != .float32 else {
            elements = stored.elements
            narrowElements = .owned(Self.buffer(0))
            return
        }
        elements = []
        var bytes = Self.buffer(stored.elements.count * dtype.byteCount)
        stored.elements.withFloatBytes { floats in
            bytes.withMutableBytes {
                _ = ConvertFloatKernel.selected.convert(
                    floats,
                    as: .float32,
                    into: &$0,
                    as: dtype
                )
            }
        }
        narrowElements = .owned(bytes)
    }

    /// Reads a matrix of 16-bit floats as it is stored, without a wider copy on the way; nil for others.
    ///
    /// What products read lies in large pages, which they read a quarter faster than a mapped file. A table
    /// of which few rows are read stays in its file.
    /// - Parameters:
    ///   - view: `[N, K]` in bfloat16 or float16.
    ///   - isTable: whether single rows are all that is read.
    /// - Throws: what reading throws.
    init?(reading view: TensorView, isTable: Bool = false) throws(CheckpointError) {
        let shape = view.description.shape
        guard view.isPlain, shape.count == 2, let dtype = FloatDType(view.description.dtype),
            dtype != .float32
        else { return nil }
        rowCount = shape[0]
        columnCount = shape[1]
        self.dtype = dtype
        isTransposed = false
        elements = []
        if isTable, let mapped = try view.mapped() {
            narrowElements = .mapped(mapped)
            return
        }
        var bytes = Self.buffer(view.description.elementCount * dtype.byteCount)
        try bytes.withMutableBytes { (bytes) throws(CheckpointError) in
            try view.read(0..<view.description.elementCount, into: &bytes)
        }
        narrowElements = .owned(bytes)
    }

    /// Whether the elements stay in the file they come from.
    package var isMapped: Bool {
        switch narrowElements {
        case .owned: false
        case .mapped: true
        }
    }

    /// Memory for elements; without any the process ends, as with an array.
    private static func buffer(_ byteCount: Int) -> AlignedBuffer {
        do {
            return try AlignedBuffer(byteCount: byteCount)
        } catch {
            preconditionFailure("no memory for a weight: \(error)")
        }
    }

    /// Multiplies: `y = x · Wᵀ` (+ bias) (+ y); see `LinearWeight`.
    public func multiply(
        _ x: Span<Float>,
        into y: inout MutableSpan<Float>,
        mode: ComputeMode = .float32,
        bias: [Float]? = nil,
        accumulates: Bool = false,
        workspace: inout ProductWorkspace,
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) {
        let rows = columnCount == 0 ? y.count / max(rowCount, 1) : x.count / columnCount
        if dtype != .float32, !isTransposed, columnCount > 0 {
            var options = ProductOptions()
            options.bias = bias
            options.accumulates = accumulates
            narrowElements.withBytes { weight in
                MultiplyDenseKernel.selected.multiply(
                    x,
                    with: weight,
                    as: dtype,
                    innerCount: columnCount,
                    into: &y,
                    options: options,
                    on: workers
                )
            }
            return
        }
        withFloats { weight in
            BLAS.multiply(
                x,
                weight,
                into: &y,
                shape: ProductShape(
                    rowCount: rows,
                    columnCount: rowCount,
                    innerCount: columnCount,
                    transposesB: !isTransposed
                ),
                accumulates: accumulates,
                on: workers
            )
        }
        guard let bias else { return }
        precondition(bias.count == rowCount, "\(bias.count) biases for \(rowCount) outputs")
        Columns.scale(&y, by: nil, adding: bias, on: workers)
    }

    /// Multiplies with the weight as it lies: `dx = dy · W` (+ dx); see `LinearWeight`.
    public func multiplyTransposed(
        _ dy: Span<Float>,
        into dx: inout MutableSpan<Float>,
        mode: ComputeMode = .float32,
        accumulates: Bool = false,
        workspace: inout ProductWorkspace,
        on workers: WorkerPool = .shared()
    ) throws(CheckpointError) {
        let rows = rowCount == 0 ? dx.count / max(columnCount, 1) : dy.count / rowCount
        withFloats { weight in
            BLAS.multiply(
                dy,
                weight,
                into: &dx,
                shape: ProductShape(
                    rowCount: rows,
                    columnCount: columnCount,
                    innerCount: rowCount,
                    transposesB: isTransposed
                ),
                accumulates: accumulates,
                on: workers
            )
        }
    }

    /// The squared norm of each row, in Double.
    public func squaredRowNorms(on workers: WorkerPool = .shared()) -> [Double] {
        withFloats { weight in
            let (rowStride, columnStride) = isTransposed ? (1, rowCount) : (columnCount, 1)
            return (0..<rowCount).map { row in
                var sum = 0.0
                for column in 0..<columnCount {
                    let element = Double(weight[row * rowStride + column * columnStride])
                    sum += element * element
                }
                return sum
            }
        }
    }

    /// A copy in float32, `[N, K]` whatever the order in memory.
    public func dequantized() -> Matrix {
        let stored = Matrix(
            rowCount: isTransposed ? columnCount : rowCount,
            columnCount: isTransposed ? rowCount : columnCount,
            elements: withFloats { weight in weight.indices.map { weight[$0] } }
        )
        return isTransposed ? stored.transposed() : stored
    }

    /// A weight with more rows.
    func appending(_ rows: Matrix) -> DenseWeight {
        precondition(
            rows.columnCount == columnCount && !isTransposed,
            "rows of \(rows.columnCount) for \(columnCount) columns"
        )
        return DenseWeight(
            Matrix(
                rowCount: rowCount + rows.rowCount,
                columnCount: columnCount,
                elements: dequantized().elements + rows.elements
            ),
            as: dtype
        )
    }

    /// A row, widened; of a weight that does not lie transposed.
    package func row(_ index: Int) -> [Float] {
        precondition(!isTransposed && 0..<rowCount ~= index, "row \(index) of \(rowCount)")
        let range = index * columnCount..<(index + 1) * columnCount
        guard dtype != .float32 else { return Array(elements[range]) }
        var widened = [Float](repeating: 0, count: columnCount)
        narrowElements.withBytes { bytes in
            widened.withMutableFloatBytes {
                _ = ConvertFloatKernel.selected.convert(
                    bytes.extracting(range.lowerBound * 2..<range.upperBound * 2),
                    as: dtype,
                    into: &$0,
                    as: .float32
                )
            }
        }
        return widened
    }

    private func withFloats<Result>(_ body: (Span<Float>) -> Result) -> Result {
        guard dtype != .float32 else { return elements.withFloatSpan(body) }
        var widened = [Float](repeating: 0, count: rowCount * columnCount)
        narrowElements.withBytes { bytes in
            widened.withMutableFloatBytes {
                _ = ConvertFloatKernel.selected.convert(
                    bytes,
                    as: dtype,
                    into: &$0,
                    as: .float32
                )
            }
        }
        return widened.withFloatSpan(body)
    }
}
