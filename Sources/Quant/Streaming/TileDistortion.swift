internal import Machine
internal import SIMDKernels
internal import Tensors

/// The errors of one tile.
struct TileDistortion: Sendable {
    var sums: ErrorSums
    /// How often each code occurs; none if codes are not counted.
    var codeCounts: [Int] = []

    /// Compares the first elements of two buffers.
    init(
        original: RawSpan,
        as dtype: FloatDType,
        decoded: RawSpan,
        as decodedDType: FloatDType
    ) {
        sums = ErrorSumsKernel.selected.sums(
            original: original,
            as: dtype,
            decoded: decoded,
            as: decodedDType
        )
    }

    /// Counts the codes of `count` elements.
    mutating func countCodes(in codes: RawSpan, count: Int, is4Bit: Bool) {
        codeCounts = CodeCount.counts(in: codes, count: count, is4Bit: is4Bit)
    }
}

extension Distortion {
    /// Puts the tiles of one tensor together, in their order.
    init(tiles: [TileDistortion]) {
        self.init()
        for tile in tiles {
            elementCount += tile.sums.count
            squaredSum += tile.sums.squareSum
            squaredErrorSum += tile.sums.errorSquareSum
            absoluteErrorSum += tile.sums.errorSum
            maximumError = max(maximumError, tile.sums.errorMaximum)
            signFlipCount += tile.sums.signFlipCount
            lostCount += tile.sums.lostCount
            if codeCounts.isEmpty {
                codeCounts = tile.codeCounts
            } else {
                codeCounts = zip(codeCounts, tile.codeCounts).map(+)
            }
        }
    }
}

extension TileDistortion {
    /// Compares elements with their decoded form in float32, and counts the codes.
    static func measure(
        _ original: borrowing AlignedBuffer,
        byteCount: Int,
        as dtype: FloatDType,
        decoded: borrowing AlignedBuffer,
        codes: borrowing AlignedBuffer,
        codeByteCount: Int,
        is4Bit: Bool
    ) -> TileDistortion {
        let count = byteCount / dtype.byteCount
        return original.withPrefix(byteCount) { original in
            decoded.withPrefix(4 * count) { decoded in
                var result = TileDistortion(
                    original: original,
                    as: dtype,
                    decoded: decoded,
                    as: .float32
                )
                codes.withPrefix(codeByteCount) { codes in
                    result.countCodes(in: codes, count: count, is4Bit: is4Bit)
                }
                return result
            }
        }
    }
}
