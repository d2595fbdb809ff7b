internal import CSIMDKernels

/// A loop that multiplies and adds in registers as fast as the processor can: what products of a mode
/// are compared with.
@safe
package struct PeakRate: Sendable {
    /// What the loop is called and what it needs.
    package let variant: KernelVariant
    /// The mode; bfloat16 and int8 only with instructions of their own for them.
    package let mode: ComputeMode
    /// Multiplications and additions of a round.
    package let operationCount: Int
    private let function: (@convention(c) (Int) -> Float)?

    /// The fastest loop of a mode that this host can run; nil if the mode has no instructions here.
    package static func fastest(for mode: ComputeMode) -> Self? {
        unsafe compiledEntries(qk_peak_rate_entries) { unsafe Self($0) }
            .first {
                $0.mode == mode && HostFeatures.host.isSuperset(of: $0.variant.requiredFeatures)
            }
    }

    private init(_ entry: qk_peak_rate_entry) {
        unsafe variant = KernelVariant(entry.variant)
        mode =
            switch unsafe Int(entry.mode) {
            case Int(QK_PEAK_FLOAT32): .float32
            case Int(QK_PEAK_BFLOAT16): .bfloat16
            default: .int8
            }
        operationCount = unsafe entry.operations
        function = unsafe entry.function
    }

    /// Runs so many rounds; returns a number that depends on all of them.
    package func run(rounds: Int) -> Float { function?(rounds) ?? 0 }
}
