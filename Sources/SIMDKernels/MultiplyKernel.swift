internal import CSIMDKernels
package import Machine

/// Multiplies rows of activations with a packed weight: `y = x · Wᵀ`, without expanding it.
///
/// For each output: the products of a group of elements that share a scale are summed in a fixed order;
/// then `t = fma(scale, sum, t)` over the groups, ascending; then the bias, then what `y` held. All
/// float32 variants give the same bits, and all int8 ones; bfloat16 ones agree within the bound of a
/// sum of `K` terms. `qk_multiply.h` gives the orders.
@safe
package struct MultiplyKernel: KernelEntry {
    package let variant: KernelVariant
    /// The codes of the weight.
    package let width: CodeWidth
    /// How operands are rounded.
    package let mode: ComputeMode
    // Immutable: a name and a function of the C table.
    nonisolated(unsafe) let entry: qk_multiply_entry

    /// The variants for codes of a width and a mode, the one measured fastest first, generic last.
    package static func compiled(_ width: CodeWidth, _ mode: ComputeMode) -> [Self] {
        let entries =
            switch (width, mode) {
            case (.four, .float32): unsafe qk_multiply_4bit_float32_entries
            case (.four, .bfloat16): unsafe qk_multiply_4bit_bfloat16_entries
            case (.four, .int8): unsafe qk_multiply_4bit_int8_entries
            case (.eight, .float32): unsafe qk_multiply_8bit_float32_entries
            case (.eight, .bfloat16): unsafe qk_multiply_8bit_bfloat16_entries
            case (.eight, .int8): unsafe qk_multiply_8bit_int8_entries
            }
        return unsafe compiledEntries(entries) {
            unsafe Self(
                variant: KernelVariant($0.variant),
                width: width,
                mode: mode,
                entry: $0
            )
        }
    }

    /// The variant in use.
    package static func selected(_ width: CodeWidth, _ mode: ComputeMode) -> Self {
        selection[width.index][mode.index]
    }

    private static let selection: [[Self]] = CodeWidth.allCases.map { width in
        ComputeMode.allCases.map { compiled(width, $0).preferred() }
    }
}

/// What a product does with its result.
package struct ProductOptions: Sendable {
    /// Added to every row; `N` numbers, or none.
    package var bias: [Float]?
    /// Whether the result is added to what the output holds.
    package var accumulates = false
    /// Activations of at least this magnitude are multiplied in float32, in int8 with 8-bit codes; nil
    /// makes no difference between activations.
    package var outlierThreshold: Float?

    package init() {}
}

extension MultiplyKernel {
    /// Multiplies: `y = x · Wᵀ` (+ bias) (+ y).
    ///
    /// The bits do not depend on the number of threads. Nothing is allocated if the scratch buffer is
    /// large enough; it grows to the packed activations.
    /// - Parameters:
    ///   - x: `rowCount` rows of `K` numbers, row by row.
    ///   - rowCount: `M`.
    ///   - panels: the sizes of the weight.
    ///   - codes: `panels.codeByteCount` bytes.
    ///   - scales: `panels.scaleCount` numbers.
    ///   - values: what 16 codes stand for; nil for codes of 8 bits.
    ///   - y: receives `M · N` numbers, row by row.
    ///   - options: bias, accumulate.
    ///   - scratch: for the packed activations.
    ///   - workers: the threads.
    /// - Throws: `AllocationError` if the scratch buffer cannot grow.
    package func multiply(
        _ x: Span<Float>,
        rowCount: Int,
        with panels: PackedPanels,
        codes: RawSpan,
        scales: Span<Float>,
        values: Codebook4Bit?,
        into y: inout MutableSpan<Float>,
        options: ProductOptions,
        scratch: inout AlignedBuffer,
        on workers: WorkerPool
    ) throws(AllocationError) {
        let threshold = options.outlierThreshold
        try unsafe withRows(x, rowCount, of: panels, threshold, &scratch, workers) { x in
            precondition(y.count == rowCount * panels.rowCount, "\(y.count) outputs")
            precondition(options.bias.map { $0.count == panels.rowCount } ?? true, "bias")
            unsafe withPackedWeight(panels, codes, scales, values) { weight in
                unsafe y.withUnsafeMutableBufferPointer { y in
                    let product = unsafe PackedProduct(
                        function: entry.function,
                        weight: weight,
                        x: x,
                        y: y.baseAddress,
                        bias: options.bias,
                        accumulates: options.accumulates
                    )
                    let cuts = product.cuts(for: workers)
                    workers.perform(cuts.count) { piece, _ in product.multiply(cuts[piece]) }
                }
            }
        }
    }

    /// Calls `body` with packed activations, unless there are none.
    @unsafe
    func withRows(
        _ x: Span<Float>,
        _ rowCount: Int,
        of panels: PackedPanels,
        _ outlierThreshold: Float?,
        _ scratch: inout AlignedBuffer,
        _ workers: WorkerPool,
        _ body: (PackedActivations) -> Void
    ) throws(AllocationError) {
        precondition(panels.width == width, "a kernel for other codes")
        precondition(x.count == rowCount * panels.columnCount, "\(x.count) activations")
        let rows = PackedRows(
            rowCount: rowCount,
            columnCount: panels.columnCount,
            group: panels.group,
            packing: unsafe entry.packing,
            limit: unsafe entry.tile_rows
        )
        guard rowCount > 0 else { return }
        let threshold = width == .eight && mode == .int8 ? outlierThreshold : nil
        // What is behind the rows begins at a dword.
        let rowsByteCount = (rows.byteCount + 3) / 4 * 4
        let tableByteCount = threshold == nil ? 0 : OutlierTable.byteCount(rows, workers)
        let byteCount = rowsByteCount + tableByteCount
        if scratch.byteCount < byteCount { scratch = try AlignedBuffer(byteCount: byteCount) }
        scratch.withMutablePrefix(byteCount) { scratch in
            unsafe scratch.withUnsafeMutableBytes { scratch in
                let base = scratch.baseAddress
                let outliers = threshold.map { threshold in
                    unsafe x.withUnsafeBufferPointer { x in
                        unsafe OutlierTable(
                            rows,
                            threshold: threshold,
                            of: x.baseAddress,
                            in: base?.advanced(by: rowsByteCount)
                        )
                    }
                }
                var packed = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: scratch[..<rows.byteCount]
                ).mutableBytes
                rows.pack(x, into: &packed, outliers: outliers, on: workers)
                body(unsafe PackedActivations(rows: rows, packed: base, outliers: outliers))
            }
        }
    }
}

/// Rows of activations as a product reads them; lives no longer than the call that makes it.
@safe
struct PackedActivations {
    let rows: PackedRows
    /// `rows.byteCount` bytes.
    let packed: UnsafeRawPointer?
    /// What was taken out of them.
    let outliers: OutlierTable?
}

/// A product whose panels are computed on several threads.
///
/// `@unchecked Sendable`: every panel writes its own columns of the output, and all else is read; it
/// lives no longer than the call that makes it.
@safe
struct PackedProduct: @unchecked Sendable {
    let function: (@convention(c) (UnsafePointer<qk_multiply_arguments>?) -> Void)?
    let weight: qk_packed_weight
    let x: PackedActivations
    let y: UnsafeMutablePointer<Float>?
    let bias: [Float]?
    let accumulates: Bool

    var rows: PackedRows { x.rows }

    /// So many bytes of 4-bit codes stay in the second-level cache while all rows pass over them.
    private static let cachedByteCount = 1 << 19
    /// Rows are cut into so many parts, where there are enough: a thread that is held up leaves some of its
    /// pieces to others.
    private static let rowPartCount = 4
    /// So many bytes of 4-bit codes are worth to begin a stream.
    private static let stretchByteCount = 1 << 18

    /// The panels whose codes stay in the cache.
    private var panelsInCache: Int { max(4, unsafe Self.cachedByteCount / (weight.k * 8)) }

    /// Cuts the product for some threads; its columns are panels, and its rows tiles.
    func cuts(for workers: WorkerPool) -> ProductCuts {
        let tileCount = rows.tileCount
        let panelRows = PackedPanels.panelRowCount
        let panelCount = unsafe (weight.n + panelRows - 1) / panelRows
        // With one tile nothing is read twice: long stretches, but for large weights enough of them that a
        // thread which is held up leaves its part to others. Else as many panels as stay in the cache, in
        // pieces of which every thread gets equally many.
        let threads = workers.threadCount
        let stretches = unsafe panelCount * weight.k * 8 / Self.stretchByteCount
        let needed =
            tileCount == 1
            ? min(max(stretches, threads), 4 * threads)
            : (panelCount - 1) / panelsInCache + 1
        let pieces = (needed + threads - 1) / threads * threads
        let stride = (panelCount + pieces - 1) / pieces
        return ProductCuts(
            columnCount: panelCount,
            columnsOfStretch: stride,
            rowCount: tileCount,
            rowPartCount: min(tileCount, Self.rowPartCount)
        )
    }

    /// The columns of `y` that a piece writes.
    func outputs(of piece: ProductCuts.Piece) -> Range<Int> {
        let width = PackedPanels.panelRowCount
        let (first, end) = (piece.columns.lowerBound * width, piece.columns.upperBound * width)
        return first..<min(end, unsafe weight.n)
    }

    /// The rows of `y` that a piece writes.
    func rows(of piece: ProductCuts.Piece) -> Range<Int> {
        let height = rows.tileRowCount
        return piece.rows.lowerBound * height..<min(piece.rows.upperBound * height, rows.rowCount)
    }

    /// Computes a piece.
    func multiply(_ piece: ProductCuts.Piece) {
        for tile in piece.rows { multiply(tile, piece.columns) }
    }

    private func multiply(_ tile: Int, _ panels: Range<Int>) {
        let firstRow = tile * rows.tileRowCount
        unsafe (bias ?? []).withUnsafeBufferPointer { biases in
            var arguments = unsafe qk_multiply_arguments(
                weight: weight,
                first_panel: panels.lowerBound,
                end_panel: panels.upperBound,
                x: x.packed?.advanced(by: tile * rows.tileByteCount),
                rows: rows.rowCount(ofTile: tile),
                y: y?.advanced(by: firstRow * weight.n),
                y_stride: weight.n,
                bias: bias == nil ? nil : biases.baseAddress,
                accumulates: accumulates ? 1 : 0
            )
            unsafe function?(&arguments)
            unsafe x.outliers?.add(tile, to: &arguments)
        }
    }
}
