internal import CSIMDKernels

/// Activations of at most `TileRows.limit` rows, packed for one mode.
package enum TileRows {
    /// The most rows that one pass over the weight serves.
    package static let limit = Int(QK_TILE_ROWS)

    /// The most activations of a row that share a step in `ComputeMode.int8`.
    package static let int8Run = Int(QK_INT8_RUN)

    /// Rounds a run of activations as `ComputeMode.int8` does: to multiples, at most 127, of a 127th
    /// of the largest magnitude; to NaN if one of them is not finite.
    package static func roundInt8(_ run: inout ArraySlice<Float>) {
        let step = run.reduce(0) { $1.isFinite ? max($0, $1.magnitude) : .nan } / 127
        for place in run.indices {
            let multiple = step == 0 ? 0 : (run[place] / step).rounded(.toNearestOrEven)
            run[place] = step.isNaN ? .nan : min(max(multiple, -127), 127) * step
        }
    }

    /// How many rows each tile has, so that the last is not much shorter than the others.
    package static func count(forRows rowCount: Int) -> Int {
        let tileCount = (rowCount + limit - 1) / limit
        return tileCount == 0 ? 0 : (rowCount + tileCount - 1) / tileCount
    }

    /// The bytes of packed rows.
    package static func byteCount(
        rowCount: Int,
        for panels: PackedPanels,
        mode: ComputeMode
    ) -> Int {
        switch mode {
        case .float32: 4 * rowCount * panels.columnCount
        case .bfloat16: 2 * rowCount * panels.columnCount
        case .int8: qk_packed_rows_int8_size(rowCount, panels.columnCount, panels.group)
        }
    }

    /// Packs rows for a mode.
    /// - Parameters:
    ///   - x: `rowCount` rows of `K` numbers, `stride` apart.
    ///   - stride: from one row to the next, at least `K`.
    ///   - rowCount: 1 to `limit`.
    ///   - panels: the sizes of the weight.
    ///   - mode: what they are packed for.
    ///   - packed: receives `byteCount(rowCount:for:mode:)` bytes.
    package static func pack(
        _ x: Span<Float>,
        stride: Int,
        rowCount: Int,
        for panels: PackedPanels,
        mode: ComputeMode,
        into packed: inout MutableRawSpan
    ) {
        let columnCount = panels.columnCount
        precondition((1...limit).contains(rowCount) && stride >= columnCount, "\(rowCount) rows")
        precondition(x.count >= (rowCount - 1) * stride + columnCount, "\(x.count) activations")
        precondition(
            packed.byteCount == byteCount(rowCount: rowCount, for: panels, mode: mode),
            "\(packed.byteCount) bytes for \(rowCount) packed rows"
        )
        unsafe x.withUnsafeBufferPointer { x in
            unsafe packed.withUnsafeMutableBytes { packed in
                let (x, packed) = (x.baseAddress, packed.baseAddress)
                switch mode {
                case .float32:
                    unsafe qk_pack_rows(
                        x,
                        stride,
                        rowCount,
                        columnCount,
                        UInt32(QK_FLOAT32),
                        packed
                    )
                case .bfloat16:
                    unsafe qk_pack_rows(
                        x,
                        stride,
                        rowCount,
                        columnCount,
                        UInt32(QK_BFLOAT16),
                        packed
                    )
                case .int8:
                    unsafe qk_pack_rows_int8(
                        x,
                        stride,
                        rowCount,
                        columnCount,
                        panels.group,
                        packed
                    )
                }
            }
        }
    }
}
