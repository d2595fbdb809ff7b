internal import CheckpointIO
internal import SIMDKernels
internal import Tensors

/// Scales that are quantized to 8 bits themselves ("double quantization", "nested").
///
/// Each is a code of the signed dynamic map for its distance from the mean, in blocks of 256 (QLoRA,
/// Dettmers et al. 2023, section 3).
public struct DoubleQuantizedAbsmax: Sendable, Hashable {
    /// Scales that share a second-level scale.
    public static let blockSize = 256

    /// One code for each scale.
    public let codes: [UInt8]
    /// The second-level scales, one for each 256 codes.
    public let absmax: [Float]
    /// The mean of the scales, subtracted before they were quantized.
    public let offset: Float

    /// Puts together what a file holds.
    /// - Precondition: there are `ceil(codes.count / 256)` second-level scales.
    public init(codes: [UInt8], absmax: [Float], offset: Float) {
        precondition(
            absmax.count == Self.blockCount(of: codes.count),
            "\(absmax.count) second-level scales for \(codes.count) codes"
        )
        self.codes = codes
        self.absmax = absmax
        self.offset = offset
    }

    /// Quantizes scales.
    ///
    /// The mean is taken in float64 over a fixed tree and rounded to float32.
    public init(quantizing scales: [Float]) {
        let offset =
            scales.isEmpty ? 0 : Float(FixedTree.sum(scales[...]) / Double(scales.count))
        let distances = scales.map { $0 - offset }
        var codes = [UInt8](repeating: 0, count: scales.count)
        var absmax = [Float](repeating: 0, count: Self.blockCount(of: scales.count))
        distances.withFloatBytes { distances in
            codes.withMutableRawSpan { codes in
                absmax.withMutableFloatSpan { absmax in
                    Quantize8BitKernel.selected.quantize(
                        distances,
                        as: .float32,
                        blockSize: Self.blockSize,
                        codebook: Codebook.dynamicSignedKernel,
                        codes: &codes,
                        absmax: &absmax
                    )
                }
            }
        }
        self.init(codes: codes, absmax: absmax, offset: offset)
    }

    /// Returns the scales: `fl(fl(map[code] · absmax[i / 256]) + offset)`.
    ///
    /// One far below the mean can come out negative.
    public func restored() -> [Float] {
        var scales = [Float](repeating: 0, count: codes.count)
        codes.withRawSpan { codes in
            absmax.withFloatSpan { absmax in
                scales.withMutableFloatSpan { Self.restore(codes, absmax, offset, into: &$0) }
            }
        }
        return scales
    }

    /// Restores the scales of a run of codes that begins with a second-level block.
    static func restore(
        _ codes: RawSpan,
        _ absmax: Span<Float>,
        _ offset: Float,
        into scales: inout MutableSpan<Float>
    ) {
        let map = Codebook.dynamicSigned.values
        for index in scales.indices {
            scales[index] =
                map[Int(codes.byte(at: index))] * absmax[index / blockSize] + offset
        }
    }

    /// `ceil(count / 256)`.
    package static func blockCount(of count: Int) -> Int {
        count / blockSize + (count % blockSize == 0 ? 0 : 1)
    }
}

/// Sums in float64 over a tree that depends on the number of terms only.
enum FixedTree {
    /// Returns the sum: halves of more than 128 terms are summed apart.
    static func sum(_ values: ArraySlice<Float>) -> Double {
        guard values.count > 128 else { return values.reduce(0) { $0 + Double($1) } }
        let middle = values.startIndex + values.count / 2
        return sum(values[..<middle]) + sum(values[middle...])
    }
}
