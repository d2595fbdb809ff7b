internal import CSIMDKernels

/// A code table of 16 values and the rule that finds the code of a scaled element.
package struct Codebook4Bit: Sendable, Hashable {
    /// How thresholds turn a scaled element `v` into a rank.
    package enum Rule: Sendable, Hashable {
        /// The rank is the number of the 15 thresholds strictly below `v`.
        case ascending
        /// The rank is the number of the 7 thresholds strictly below `|v|`, plus 8 if `v < 0`.
        case signAndMagnitude
    }

    /// The value of each code; 16.
    package let values: [Float]
    /// The 15 or 7 thresholds, as the rule says, in ascending order.
    package let thresholds: [Float]
    /// The code of each rank; a permutation of 0 ..< 16.
    package let codeOfRank: [UInt8]
    /// How thresholds turn an element into a rank.
    package let rule: Rule
    /// The values for products of integers: each is nearly that many times `int8Step`.
    package let int8Values: [Int8]
    /// The step of `int8Values`.
    package let int8Step: Float

    /// Makes a code table.
    ///
    /// - Parameters:
    ///   - values: 16, by code.
    ///   - thresholds: ascending, in -1 ... 1; 15 with `ascending`, 7 with `signAndMagnitude`.
    ///   - codeOfRank: with `ascending` 16 codes; with `signAndMagnitude` the 8 codes of ascending
    ///     magnitude of the positive values, to which a set bit 3 adds the sign.
    ///   - rule: how thresholds turn an element into a rank.
    package init(values: [Float], thresholds: [Float], codeOfRank: [UInt8], rule: Rule) {
        let ranks =
            rule == .ascending ? codeOfRank : codeOfRank + codeOfRank.map { $0 | 8 }
        precondition(values.count == 16, "\(values.count) values instead of 16")
        precondition(ranks.sorted() == Array(0..<16), "\(codeOfRank) does not reach all 16 codes")
        let thresholdCount = rule == .ascending ? 15 : 7
        precondition(
            thresholds.count == thresholdCount,
            "\(thresholds.count) thresholds instead of \(thresholdCount)"
        )
        precondition(
            zip(thresholds, thresholds.dropFirst()).allSatisfy { $0 < $1 }
                && thresholds.allSatisfy { $0 >= -1 && $0 <= 1 },
            "thresholds must ascend in -1 ... 1"
        )
        self.values = values
        self.thresholds = thresholds
        self.codeOfRank = ranks
        self.rule = rule
        (int8Values, int8Step) = Self.rounded(values)
    }

    /// Returns values as multiples of one step, at most 127, with the step that brings the multiples
    /// nearest to the values in squared error.
    ///
    /// NF4 gets a step of 1/112, which errs by a fifth less than 1/127; FP4, whose values are nearly
    /// multiples of 1/12, one of 1/120.
    private static func rounded(_ values: [Float]) -> ([Int8], Float) {
        let largest = values.map(\.magnitude).max() ?? 0
        guard largest > 0 else { return ([Int8](repeating: 0, count: values.count), 0) }
        var best = (error: Double.infinity, multiples: [Int8](), step: Float(0))
        for eighths in 512...127 * 8 {
            let step = largest / (Float(eighths) / 8)
            let multiples = values.map { Int8(($0 / step).rounded(.toNearestOrEven)) }
            let error = zip(values, multiples).reduce(0.0) { sum, pair in
                let difference = Double(pair.0) - Double(pair.1) * Double(step)
                return sum + difference * difference
            }
            if error < best.error { best = (error, multiples, step) }
        }
        return (best.multiples, best.step)
    }

    /// The code of every element of a block without scale, and of a missing last element.
    package var zeroCode: UInt8 {
        codeOfRank[thresholds.count { $0 < 0 }]
    }

    /// The form that the kernels read.
    var cCodebook: qk_codebook_4bit {
        var codebook = qk_codebook_4bit()
        unsafe withUnsafeMutableBytes(of: &codebook.values) { unsafe copy(values, into: $0) }
        let padded = thresholds + Array(repeating: .infinity, count: 16 - thresholds.count)
        unsafe withUnsafeMutableBytes(of: &codebook.thresholds) { unsafe copy(padded, into: $0) }
        unsafe withUnsafeMutableBytes(of: &codebook.code_of_rank) {
            unsafe copy(codeOfRank, into: $0)
        }
        codebook.magnitude_rule = rule == .signAndMagnitude ? 1 : 0
        return codebook
    }

    private func copy<Element>(_ array: [Element], into bytes: UnsafeMutableRawBufferPointer) {
        unsafe array.withUnsafeBytes { unsafe bytes.copyMemory(from: $0) }
    }
}
