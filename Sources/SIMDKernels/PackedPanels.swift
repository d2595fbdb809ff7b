internal import CSIMDKernels

/// How many bits a code of a packed weight has.
package enum CodeWidth: Int, Sendable, Hashable, CaseIterable {
    case four = 4
    case eight = 8

    /// Its place in `allCases`.
    var index: Int { self == .four ? 0 : 1 }
}

/// The sizes of a quantized weight as products read it: panels of 16 rows, interleaved by dwords.
///
/// 4-bit codes are `[panelCount][K / 8][16 rows][4 bytes]`, each dword the row's own 4 canonical bytes;
/// 8-bit codes `[panelCount][K / 8][2][16 rows][4 bytes]`, codes plus 128, columns 1 3 5 7 and 0 2 4 6 of
/// each eight. Scales are `[panelCount][K / group][16 rows]`, float32. Rows beyond `N` have codes and
/// scales of 0.
package struct PackedPanels: Sendable, Hashable {
    /// Rows that lie interleaved.
    package static let panelRowCount = 16

    /// The bits of a code.
    package let width: CodeWidth
    /// `N`.
    package let rowCount: Int
    /// `K`, a multiple of 8.
    package let columnCount: Int
    /// Elements that share a scale: they lie in one row, and in one block.
    package let group: Int

    /// Lays out a weight `[rowCount, columnCount]` of 4-bit codes whose flattened elements share a scale
    /// in blocks of `blockSize`; nil if scales change inside eight elements, so that it cannot be packed.
    package init?(rowCount: Int, columnCount: Int, blockSize: Int) {
        guard rowCount > 0, columnCount > 0 else { return nil }
        // The longest run that ends where rows and blocks do.
        var (group, rest) = (columnCount, blockSize)
        while rest != 0 { (group, rest) = (rest, group % rest) }
        guard group % 8 == 0 else { return nil }
        width = .four
        self.rowCount = rowCount
        self.columnCount = columnCount
        self.group = group
    }

    /// Lays out a weight `[rowCount, columnCount]` of 8-bit codes with one scale a row; nil if
    /// `columnCount` is no multiple of 8, so that it cannot be packed.
    package init?(rowCount: Int, columnCountOf8Bits columnCount: Int) {
        guard rowCount > 0, columnCount > 0, columnCount % 8 == 0 else { return nil }
        width = .eight
        self.rowCount = rowCount
        self.columnCount = columnCount
        group = columnCount
    }

    /// `ceil(N / 16)`.
    package var panelCount: Int {
        (rowCount + Self.panelRowCount - 1) / Self.panelRowCount
    }
    /// The bytes of all codes.
    package var codeByteCount: Int { panelCount * columnCount * 2 * width.rawValue }
    /// The number of all scales.
    package var scaleCount: Int { panelCount * (columnCount / group) * Self.panelRowCount }

    /// The bytes of the canonical codes.
    package var canonicalByteCount: Int { rowCount * columnCount * width.rawValue / 8 }

    /// Interleaves canonical codes and scales.
    /// - Parameters:
    ///   - codes: `canonicalByteCount` bytes, flattened, of two codes in a byte the first in the high
    ///     nibble.
    ///   - scales: one for each `blockSize` flattened elements.
    ///   - blockSize: that of `init`; of 8-bit codes `columnCount`.
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
        precondition(codes.byteCount == canonicalByteCount, "\(codes.byteCount) bytes of codes")
        precondition(scales.count == (elementCount + blockSize - 1) / blockSize, "\(scales.count)")
        precondition(packedCodes.byteCount == codeByteCount, "\(packedCodes.byteCount) bytes")
        precondition(packedScales.count == scaleCount, "\(packedScales.count) scales")
        unsafe codes.withUnsafeBytes { codes in
            unsafe scales.withUnsafeBufferPointer { scales in
                unsafe packedCodes.withUnsafeMutableBytes { packedCodes in
                    unsafe packedScales.withUnsafeMutableBufferPointer { packedScales in
                        let pack = unsafe width == .four ? qk_pack_4bit : qk_pack_8bit
                        unsafe pack(
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
    ///   - codes: receives `canonicalByteCount` bytes.
    package func unpack(_ packedCodes: RawSpan, into codes: inout MutableRawSpan) {
        precondition(packedCodes.byteCount == codeByteCount, "\(packedCodes.byteCount) bytes")
        precondition(codes.byteCount == canonicalByteCount, "\(codes.byteCount) bytes")
        unsafe packedCodes.withUnsafeBytes { packedCodes in
            unsafe codes.withUnsafeMutableBytes { codes in
                let unpack = unsafe width == .four ? qk_unpack_4bit : qk_unpack_8bit
                unsafe unpack(
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
