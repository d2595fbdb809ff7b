@testable import Quant
import Tensors
import TestSupport
import Testing

@Suite struct TileCountsTests {
    @Test(arguments: [0, 1, 2, 3, 7, 8, 9, 63, 64, 65, 1000, 70_001])
    func countsEveryCodeOnce(count: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        let bytes = (0..<max(1, count)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        var halves = [Int](repeating: 0, count: 16)
        for index in 0..<count {
            let byte = bytes[index / 2]
            halves[Int(index % 2 == 0 ? byte >> 4 : byte & 15)] += 1
        }
        var wholes = [Int](repeating: 0, count: 256)
        for byte in bytes.prefix(count) { wholes[Int(byte)] += 1 }
        unsafe bytes.withUnsafeBytes { buffer in
            let span = unsafe RawSpan(_unsafeBytes: buffer)
            #expect(CodeCount.counts(in: span, count: count, is4Bit: true) == halves)
            #expect(CodeCount.counts(in: span, count: count, is4Bit: false) == wholes)
        }
    }

    @Test(arguments: FloatDType.allCases, FloatDType.allCases)
    func countsSignsAndLosses(original: FloatDType, decoded: FloatDType) {
        // Of each pair: whether the sign flips, and whether the value is lost.
        let pairs: [(x: Float, y: Float)] = [
            (1, 1), (1, -1), (-1, 1), (-2, -2), (0, 1), (-0.0, 1), (0, -1), (1, 0), (1, -0.0),
            (-1, 0), (0, 0), (-0.0, 0), (0.5, -0.25), (-3, -0.5),
        ]
        for copies in [1, 3, 5000] {
            let all = (0..<copies).flatMap { _ in pairs }
            let tile = TileDistortion(all, original, decoded)
            #expect(tile.sums.signFlipCount == 3 * copies)
            #expect(tile.sums.lostCount == 3 * copies)
        }
    }
}

extension TileDistortion {
    fileprivate init(_ pairs: [(x: Float, y: Float)], _ original: FloatDType, _ decoded: FloatDType)
    {
        let x = pairs.flatMap { TileDistortion.bytes($0.x, original) }
        let y = pairs.flatMap { TileDistortion.bytes($0.y, decoded) }
        self = unsafe x.withUnsafeBytes { x in
            unsafe y.withUnsafeBytes { y in
                TileDistortion(
                    original: unsafe RawSpan(_unsafeBytes: x),
                    as: original,
                    decoded: unsafe RawSpan(_unsafeBytes: y),
                    as: decoded
                )
            }
        }
    }

    private static func bytes(_ value: Float, _ dtype: FloatDType) -> [UInt8] {
        let bits: UInt32
        switch dtype {
        case .float32: bits = value.bitPattern
        case .bfloat16: bits = value.bitPattern >> 16
        case .float16:
            // The values above are short powers of two: sign, exponent and one bit of fraction.
            let magnitude = value.magnitude.bitPattern
            let half = magnitude == 0 ? 0 : (magnitude >> 13) - (112 << 10)
            bits = half | (value.sign == .minus ? 0x8000 : 0)
        }
        return (0..<dtype.byteCount).map { UInt8(truncatingIfNeeded: bits >> (8 * UInt32($0))) }
    }
}
