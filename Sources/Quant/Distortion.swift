/// How far a reconstruction `y` is from the original `x`: several measures, because each hides
/// something.
///
/// Sums are in float64 over a fixed tree, so the same data gives the same bits.
public struct Distortion: Sendable, Hashable {
    /// The number of elements.
    public internal(set) var elementCount = 0
    /// `Σ x²`.
    public internal(set) var squaredSum = 0.0
    /// `Σ (x - y)²`.
    public internal(set) var squaredErrorSum = 0.0
    /// `Σ |x - y|`.
    public internal(set) var absoluteErrorSum = 0.0
    /// `max |x - y|`.
    public internal(set) var maximumError = 0.0
    /// Elements whose sign is reversed: both are non-zero, of different sign.
    public internal(set) var signFlipCount = 0
    /// Non-zero elements that became zero.
    public internal(set) var lostCount = 0
    /// How often each code occurs; 16 or 256 counts, indexed by code (int8 codes by their byte),
    /// or none if codes were not counted.
    public internal(set) var codeCounts: [Int] = []
    /// Bytes of codes, scales, tables and states; 0 if unknown.
    public internal(set) var storedByteCount = 0

    /// Nothing measured yet.
    public init() {}

    /// `sqrt(Σ(x-y)² / Σx²)`; nil if `x` is all zeros or nothing, where it has no meaning.
    public var relativeRMSE: Double? {
        squaredSum > 0 ? (squaredErrorSum / squaredSum).squareRoot() : nil
    }

    /// `Σ(x-y)² / n`; nil without elements.
    public var meanSquaredError: Double? {
        elementCount > 0 ? squaredErrorSum / Double(elementCount) : nil
    }

    /// `Σ|x-y| / n`; nil without elements.
    public var meanAbsoluteError: Double? {
        elementCount > 0 ? absoluteErrorSum / Double(elementCount) : nil
    }

    /// Stored bits for one element; nil if not known.
    public var bitsPerWeight: Double? {
        elementCount > 0 && storedByteCount > 0
            ? Double(storedByteCount) * 8 / Double(elementCount) : nil
    }

    /// Returns the measures of both data together.
    ///
    /// Codes of different formats are not counted together: the result then has no counts.
    public func adding(_ other: Distortion) -> Distortion {
        var sum = self
        sum.elementCount += other.elementCount
        sum.squaredSum += other.squaredSum
        sum.squaredErrorSum += other.squaredErrorSum
        sum.absoluteErrorSum += other.absoluteErrorSum
        sum.maximumError = max(maximumError, other.maximumError)
        sum.signFlipCount += other.signFlipCount
        sum.lostCount += other.lostCount
        sum.storedByteCount += other.storedByteCount
        if elementCount == 0 {
            sum.codeCounts = other.codeCounts
        } else if other.elementCount > 0 {
            sum.codeCounts =
                codeCounts.count == other.codeCounts.count
                ? zip(codeCounts, other.codeCounts).map(+) : []
        }
        return sum
    }
}
