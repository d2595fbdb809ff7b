internal import CSIMDKernels
package import Tensors

/// Sums over the pairs of finite elements of an original `x` and its decoded form `y`, with
/// `d = x - y` in float64.
package struct ErrorSums: Sendable, Hashable {
    /// The number of finite pairs.
    package var count = 0
    /// The number of the other pairs, which take no part in anything else.
    package var nonFiniteCount = 0
    /// `Σ x²`.
    package var squareSum = 0.0
    /// `Σ d²`.
    package var errorSquareSum = 0.0
    /// `Σ |d|`.
    package var errorSum = 0.0
    /// `max |x|`.
    package var maximum = 0.0
    /// `max |d|`.
    package var errorMaximum = 0.0
    /// The first element whose `|d|` is the maximum; 0 without elements.
    package var errorIndex = 0
    /// Pairs of opposite sign of which neither is zero; those that are not finite included.
    package var signFlipCount = 0
    /// Pairs whose `y` is zero and whose `x` is not; those that are not finite included.
    package var lostCount = 0

    /// Makes the sums of no element.
    package init() {}

    /// Adds the sums of the elements that follow, the first of which has index `offset`.
    ///
    /// The bits depend on where elements are cut: cut them the same way whatever runs in parallel.
    package mutating func append(_ next: ErrorSums, offset: Int) {
        if next.count > 0, count == 0 || next.errorMaximum > errorMaximum {
            errorMaximum = next.errorMaximum
            errorIndex = offset + next.errorIndex
        }
        count += next.count
        nonFiniteCount += next.nonFiniteCount
        squareSum += next.squareSum
        errorSquareSum += next.errorSquareSum
        errorSum += next.errorSum
        maximum = max(maximum, next.maximum)
        signFlipCount += next.signFlipCount
        lostCount += next.lostCount
    }
}

/// Measures how far decoded elements are from the original ones.
///
/// Each sum is made of eight partial ones in float64, number `i % 8` taking element `i`, so that all
/// variants give the same bits.
@safe
package struct ErrorSumsKernel: Kernel {
    package let variant: KernelVariant
    // Immutable: a name and a function of the C table.
    private nonisolated(unsafe) let entry: qk_error_sums_entry

    package static let compiled = unsafe compiledEntries(qk_error_sums_entries) {
        unsafe Self(variant: KernelVariant($0.variant), entry: $0)
    }
    package static let selected = preferred()

    /// Sums over all elements.
    ///
    /// - Parameters:
    ///   - original: `x`.
    ///   - originalElement: the type of its elements.
    ///   - decoded: `y`, as many elements.
    ///   - decodedElement: the type of its elements.
    /// - Returns: the sums.
    package func sums(
        original: RawSpan,
        as originalElement: FloatDType,
        decoded: RawSpan,
        as decodedElement: FloatDType
    ) -> ErrorSums {
        let count = originalElement.count(in: original.byteCount)
        let decodedCount = decodedElement.count(in: decoded.byteCount)
        precondition(count == decodedCount, "\(decodedCount) decoded elements of \(count)")
        var sums = qk_error_sums()
        unsafe original.withUnsafeBytes { original in
            unsafe decoded.withUnsafeBytes { decoded in
                unsafe entry.function(
                    original.baseAddress,
                    originalElement.cType,
                    decoded.baseAddress,
                    decodedElement.cType,
                    count,
                    &sums
                )
            }
        }
        var result = ErrorSums()
        result.count = Int(sums.count)
        result.nonFiniteCount = Int(sums.non_finite_count)
        result.squareSum = sums.square_sum
        result.errorSquareSum = sums.error_square_sum
        result.errorSum = sums.error_sum
        result.maximum = sums.maximum
        result.errorMaximum = sums.error_maximum
        result.errorIndex = Int(sums.error_index)
        result.signFlipCount = Int(sums.sign_flip_count)
        result.lostCount = Int(sums.lost_count)
        return result
    }
}
