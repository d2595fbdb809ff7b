internal import CSIMDKernels

/// The sizes of a 4-bit weight as products read it: panels of 16 rows, interleaved by dwords.
///
/// Codes are `[panelCount][K / 8][16 rows][4 bytes]`, each dword the row's own 4 canonical bytes;
/// scales `[panelCount][K / group][16 rows]`, float32. Rows beyond `N` have codes and scales of 0.
package struct PackedPanels: Sendable, Hashable {
    /// Rows that lie interleaved.
    package static let panelRowCount = 16

    /// `N`.
    package let rowCount: Int
    /// `K`, a multiple of 8.
    package let columnCount: Int
    /// Elements that share a scale: they lie in one row, and in one block.
    package let group: Int

    /// Lays out a weight `[rowCount, columnCount]` whose flattened elements share a scale in blocks
    /// of `blockSize`; nil if scales change inside eight elements, so that it cannot be packed.
    package init?(rowCount: Int, columnCount: Int, blockSize: Int) {
        guard rowCount > 0, columnCount > 0 else { return nil }
        // The longest run that ends where rows and blocks do.
        var (group, rest) = (columnCount, blockSize)
        while rest != 0 { (group, rest) = (rest, group % rest) }
        guard group % 8 == 0 else { return nil }
        self.rowCount = rowCount
        self.columnCount = columnCount
        self.group = group
    }

    /// `ceil(N / 16)`.
    package var panelCount: Int {
        (rowCount + Self.panelRowCount - 1) / Self.panelRowCount
    }
    /// The bytes of all codes.
    package var codeByteCount: Int { panelCount * columnCount * 8 }
    /// The number of all scales.
    package var scaleCount: Int { panelCount * (columnCount / group) * Self.panelRowCount }

    /// Interleaves canonical codes and scales.
    /// - Parameters:
    ///   - codes: `rowCount · columnCount / 2` bytes, flattened, the first of two in the high nibble.
    ///   - scales: one for each `blockSize` flattened elements.
    ///   - blockSize: that of `init`.
    ///   - packedCodes: receives `codeByteCount` bytes.
    ///   - packedScales: receives `scaleCount` numbers.
    package func pack(
        codes: RawSpan,
        scales: Span<Float>,
        blockSize: Int,
        into packedCodes: inout MutableRawSpan,
        _ packedScales: inout MutableSpan<Float>
    ) {
        let elementCount = rowCount * columnCount
        precondition(codes.byteCount == elementCount / 2, "\(codes.byteCount) bytes of codes")
        precondition(scales.count == (elementCount + blockSize - 1) / blockSize, "\(scales.count)")
        precondition(packedCodes.byteCount == codeByteCount, "\(packedCodes.byteCount) bytes")
        precondition(packedScales.count == scaleCount, "\(packedScales.count) scales")
        unsafe codes.withUnsafeBytes { codes in
            unsafe scales.withUnsafeBufferPointer { scales in
                unsafe packedCodes.withUnsafeMutableBytes { packedCodes in
                    unsafe packedScales.withUnsafeMutableBufferPointer { packedScales in
                        unsafe qk_pack_4bit(
                            codes.assumingMemoryBound(to: UInt8.self).baseAddress,
                            scales.baseAddress,
                            rowCount,
                            columnCount,
                            blockSize,
                            group,
                            0,
                            panelCount,
                            packedCodes.assumingMemoryBound(to: UInt8.self).baseAddress,
                            packedScales.baseAddress
                        )
                    }
                }
            }
        }
    }

    /// Restores the canonical codes.
    /// - Parameters:
    ///   - packedCodes: `codeByteCount` bytes.
    ///   - codes: receives `rowCount · columnCount / 2` bytes.
    package func unpack(_ packedCodes: RawSpan, into codes: inout MutableRawSpan) {
        precondition(packedCodes.byteCount == codeByteCount, "\(packedCodes.byteCount) bytes")
        precondition(codes.byteCount == rowCount * columnCount / 2, "\(codes.byteCount) bytes")
        unsafe packedCodes.withUnsafeBytes { packedCodes in
            unsafe codes.withUnsafeMutableBytes { codes in
                unsafe qk_unpack_4bit(
                    packedCodes.assumingMemoryBound(to: UInt8.self).baseAddress,
                    rowCount,
                    columnCount,
                    0,
                    panelCount,
                    codes.assumingMemoryBound(to: UInt8.self).baseAddress
                )
            }
        }
    }
}
