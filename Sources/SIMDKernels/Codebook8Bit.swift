internal import CSIMDKernels

/// A sorted map of 256 values and the thresholds between them.
///
/// The code of a scaled element `v` is the index of the nearest value, by the float32 midpoints
/// `fl((c[i] + c[i + 1]) · 0.5)`; an element on a midpoint takes the even index.
package struct Codebook8Bit: Sendable, Hashable {
    /// The value of each code; 256, ascending.
    package let values: [Float]
    /// What the code of `v` counts: the number of these 256 strictly below it.
    ///
    /// The midpoint itself where a tie goes down, the number before it where it goes up; the last is
    /// infinite.
    let thresholds: [Float]
    // The look-up that the kernels derive from the thresholds, described in qk_codebook_8bit.h.
    private let lookup: [UInt32]
    private let lookupStart: UInt32
    private let lookupShift: UInt32
    private let lookupHalf: UInt32

    /// Makes a map.
    ///
    /// - Parameter values: 256 finite values in ascending order whose midpoints ascend strictly.
    package init(values: [Float]) {
        precondition(values.count == 256, "\(values.count) values instead of 256")
        precondition(values.allSatisfy(\.isFinite), "values of a map must be finite")
        let midpoints = zip(values, values.dropFirst()).map { ($0 + $1) * 0.5 }
        precondition(
            zip(midpoints, midpoints.dropFirst()).allSatisfy { $0 < $1 },
            "the midpoints of a map must ascend"
        )
        var thresholds = [Float](repeating: 0, count: 256)
        unsafe qk_codebook_8bit_thresholds(values, &thresholds)
        var lookup = [UInt32](repeating: 0, count: Int(QK_LOOKUP_8BIT_CAPACITY))
        var codebook = unsafe qk_codebook_8bit()
        unsafe thresholds.withUnsafeBufferPointer { thresholds in
            unsafe lookup.withUnsafeMutableBufferPointer { lookup in
                unsafe codebook.thresholds = thresholds.baseAddress
                unsafe qk_codebook_8bit_make_lookup(&codebook, lookup.baseAddress)
            }
        }
        self.values = values
        self.thresholds = thresholds
        unsafe lookupStart = codebook.lookup_start
        unsafe lookupShift = codebook.lookup_shift
        unsafe lookupHalf = codebook.lookup_half
        let isMade = unsafe codebook.lookup != nil
        self.lookup = isMade ? Array(lookup.prefix(2 * Int(lookupHalf))) : []
    }

    /// Whether the thresholds have the form in which kernels find a code in one step.
    package var hasLookup: Bool { !lookup.isEmpty }

    /// Calls `body` with the form that the kernels read.
    func withCCodebook<Result>(
        _ body: (UnsafePointer<qk_codebook_8bit>) -> Result
    ) -> Result {
        unsafe values.withUnsafeBufferPointer { values in
            unsafe thresholds.withUnsafeBufferPointer { thresholds in
                unsafe lookup.withUnsafeBufferPointer { lookup in
                    var codebook = unsafe qk_codebook_8bit(
                        values: values.baseAddress,
                        thresholds: thresholds.baseAddress,
                        lookup: lookup.isEmpty ? nil : lookup.baseAddress,
                        lookup_start: lookupStart,
                        lookup_shift: lookupShift,
                        lookup_half: lookupHalf
                    )
                    return unsafe body(&codebook)
                }
            }
        }
    }
}
