internal import CSIMDKernels
package import Machine

/// A quantized weight as products read it: codes and scales in panels.
package final class PackedWeight: Sendable {
    /// The sizes.
    package let panels: PackedPanels
    /// What 4-bit codes stand for; nil for 8-bit codes.
    package let values: Codebook4Bit?
    /// `panels.codeByteCount` bytes.
    package let codes: AlignedBuffer
    /// `panels.scaleCount` numbers.
    package let scales: AlignedBuffer
    /// What 4-bit codes stand for, at an address that stays: in float32, then in int8.
    private let tables: AlignedBuffer

    /// Puts together a weight.
    /// - Throws: `AllocationError` if there is no memory for what the codes stand for.
    /// - Precondition: the numbers of bytes are those of the panels, and 4-bit codes have values.
    package init(
        _ panels: PackedPanels,
        values: Codebook4Bit?,
        codes: consuming AlignedBuffer,
        scales: consuming AlignedBuffer
    ) throws(AllocationError) {
        precondition(
            codes.byteCount == panels.codeByteCount && scales.byteCount >= 4 * panels.scaleCount
                && (values == nil) == (panels.width == .eight),
            "\(codes.byteCount) bytes of codes and \(scales.byteCount) of scales"
        )
        self.panels = panels
        self.values = values
        self.codes = codes
        self.scales = scales
        var tables = try AlignedBuffer(byteCount: values.map { 5 * $0.values.count } ?? 0)
        if let values {
            tables.withMutableBytes { bytes in
                for (code, value) in values.values.enumerated() {
                    bytes.storeBytes(of: value, toByteOffset: 4 * code, as: Float.self)
                    bytes.storeBytes(
                        of: values.int8Values[code],
                        toByteOffset: 4 * values.values.count + code,
                        as: Int8.self
                    )
                }
            }
        }
        self.tables = tables
    }

    /// The weight as the C functions take it, while it lives.
    @unsafe var arguments: qk_packed_weight {
        let count = values?.values.count ?? 0
        return unsafe qk_packed_weight(
            panels,
            codes: codes.address,
            scales: scales.address.assumingMemoryBound(to: Float.self),
            values,
            floats: tables.address.assumingMemoryBound(to: Float.self),
            integers: (tables.address + 4 * count).assumingMemoryBound(to: Int8.self)
        )
    }
}

extension qk_packed_weight {
    /// Puts together addresses; those of what 4-bit codes stand for do not count for 8-bit ones.
    @unsafe
    fileprivate init(
        _ panels: PackedPanels,
        codes: UnsafeRawPointer?,
        scales: UnsafePointer<Float>?,
        _ values: Codebook4Bit?,
        floats: UnsafePointer<Float>?,
        integers: UnsafePointer<Int8>?
    ) {
        unsafe self.init(
            codes: codes?.assumingMemoryBound(to: UInt8.self),
            scales: scales,
            values: values == nil ? nil : floats,
            int8_values: values == nil ? nil : integers,
            int8_step: values?.int8Step ?? 1,
            n: panels.rowCount,
            k: panels.columnCount,
            group: panels.group
        )
    }
}

/// Calls `body` with a packed weight as the C functions take it.
///
/// - Precondition: the numbers of bytes and scales are those of the panels.
@unsafe
func withPackedWeight(
    _ panels: PackedPanels,
    _ codes: RawSpan,
    _ scales: Span<Float>,
    _ values: Codebook4Bit?,
    _ body: (qk_packed_weight) -> Void
) {
    precondition(codes.byteCount == panels.codeByteCount, "\(codes.byteCount) bytes of codes")
    precondition(scales.count == panels.scaleCount, "\(scales.count) scales")
    precondition((values == nil) == (panels.width == .eight), "a code table for 4-bit codes")
    unsafe codes.withUnsafeBytes { codes in
        unsafe scales.withUnsafeBufferPointer { scales in
            unsafe (values?.values ?? []).withUnsafeBufferPointer { floats in
                unsafe (values?.int8Values ?? []).withUnsafeBufferPointer { integers in
                    unsafe body(
                        qk_packed_weight(
                            panels,
                            codes: codes.baseAddress,
                            scales: scales.baseAddress,
                            values,
                            floats: floats.baseAddress,
                            integers: integers.baseAddress
                        )
                    )
                }
            }
        }
    }
}
