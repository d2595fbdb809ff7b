internal import CSIMDKernels
package import Tensors

/// Converts elements from one float type to another.
///
/// Rounds to nearest, ties to even, and keeps subnormal results. A NaN keeps its sign and the upper
/// bits of its payload, and becomes quiet unless all its bits are kept (from a type to itself, and
/// from bfloat16 to float32).
@safe
package struct ConvertFloatKernel: Kernel {
    /// What rounding lost.
    package struct Losses: Sendable, Hashable {
        /// The number of finite elements that became infinite.
        package var overflowCount = 0
        /// The number of elements other than 0 that became 0.
        package var underflowCount = 0

        /// Makes the counts of no element.
        package init(overflowCount: Int = 0, underflowCount: Int = 0) {
            self.overflowCount = overflowCount
            self.underflowCount = underflowCount
        }
    }

    package let variant: KernelVariant
    // Immutable: a name and a function of the C table.
    private nonisolated(unsafe) let entry: qk_convert_float_entry

    package static let compiled = unsafe compiledEntries(qk_convert_float_entries) {
        unsafe Self(variant: KernelVariant($0.variant), entry: $0)
    }
    package static let selected = preferred()

    /// Converts all elements.
    ///
    /// - Parameters:
    ///   - input: elements; their number follows from the size.
    ///   - element: the type of the elements.
    ///   - output: receives exactly as many.
    ///   - outputElement: the type of the output's elements.
    /// - Returns: what rounding lost.
    package func convert(
        _ input: RawSpan,
        as element: FloatDType,
        into output: inout MutableRawSpan,
        as outputElement: FloatDType
    ) -> Losses {
        let count = element.count(in: input.byteCount)
        let outputCount = outputElement.count(in: output.byteCount)
        precondition(count == outputCount, "room for \(outputCount) elements of \(count)")
        var counts = qk_convert_counts()
        unsafe input.withUnsafeBytes { input in
            unsafe output.withUnsafeMutableBytes { output in
                unsafe entry.function(
                    input.baseAddress,
                    element.cType,
                    count,
                    output.baseAddress,
                    outputElement.cType,
                    &counts
                )
            }
        }
        return Losses(
            overflowCount: Int(counts.overflow_count),
            underflowCount: Int(counts.underflow_count)
        )
    }
}
