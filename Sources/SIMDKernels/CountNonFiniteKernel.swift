internal import CSIMDKernels
package import Tensors

/// Counts the elements that are NaN or infinite.
@safe
package struct CountNonFiniteKernel: Kernel {
    package let variant: KernelVariant
    // Immutable: a name and a function of the C table.
    private nonisolated(unsafe) let entry: qk_count_non_finite_entry

    package static let compiled = unsafe compiledEntries(qk_count_non_finite_entries) {
        unsafe Self(variant: KernelVariant($0.variant), entry: $0)
    }
    package static let selected = preferred()

    /// Counts in all elements.
    ///
    /// - Parameters:
    ///   - input: elements; their number follows from the size.
    ///   - element: the type of the elements.
    /// - Returns: how many are not finite.
    package func count(in input: RawSpan, as element: FloatDType) -> Int {
        let elementCount = element.count(in: input.byteCount)
        return unsafe input.withUnsafeBytes { input in
            unsafe entry.function(input.baseAddress, element.cType, elementCount)
        }
    }
}
