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

    /// Puts together a weight.
    /// - Precondition: the numbers of bytes are those of the panels.
    package init(
        _ panels: PackedPanels,
        values: Codebook4Bit?,
        codes: consuming AlignedBuffer,
        scales: consuming AlignedBuffer
    ) {
        self.panels = panels
        self.values = values
        self.codes = codes
        self.scales = scales
    }
}

/// Calls `body` with packed weights as the C functions take them.
@unsafe
func withPackedWeights(
    _ weights: ArraySlice<PackedWeight>,
    _ before: [qk_packed_weight],
    _ body: ([qk_packed_weight]) -> Void
) {
    guard let first = weights.first else { return unsafe body(before) }
    first.codes.withBytes { codes in
        first.scales.withFloats(first.panels.scaleCount) { scales in
            unsafe withPackedWeight(first.panels, codes, scales, first.values) { weight in
                unsafe withPackedWeights(weights.dropFirst(), before + [weight], body)
            }
        }
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
                            codes: codes.assumingMemoryBound(to: UInt8.self).baseAddress,
                            scales: scales.baseAddress,
                            values: floats.baseAddress,
                            int8_values: integers.baseAddress,
                            int8_step: values?.int8Step ?? 1,
                            n: panels.rowCount,
                            k: panels.columnCount,
                            group: panels.group
                        )
                    )
                }
            }
        }
    }
}
