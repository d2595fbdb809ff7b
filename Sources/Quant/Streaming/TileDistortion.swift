internal import SIMDKernels
internal import Tensors

/// The errors of one tile.
struct TileDistortion: Sendable {
    var sums: ErrorSums
    var signFlipCount = 0
    var lostCount = 0
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
            as: dtype.element,
            decoded: decoded,
            as: decodedDType.element
        )
        for index in 0..<original.byteCount / dtype.byteCount {
            let x = original.float(at: index, as: dtype)
            let y = decoded.float(at: index, as: decodedDType)
            guard x != 0 else { continue }
            if y == 0 {
                lostCount += 1
            } else if (x < 0) != (y < 0) {
                signFlipCount += 1
            }
        }
    }

    /// Counts the codes of `count` elements.
    mutating func countCodes(in codes: RawSpan, count: Int, is4Bit: Bool) {
        codeCounts = [Int](repeating: 0, count: is4Bit ? 16 : 256)
        for index in 0..<codes.byteCount {
            let byte = Int(codes.byte(at: index))
            guard is4Bit else {
                codeCounts[byte] += 1
                continue
            }
            codeCounts[byte >> 4] += 1
            if 2 * index + 1 < count { codeCounts[byte & 15] += 1 }
        }
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
            signFlipCount += tile.signFlipCount
            lostCount += tile.lostCount
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
