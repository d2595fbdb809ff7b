package import Machine
internal import SIMDKernels
internal import Tensors

/// The buffers of the benchmark, made once and used by all rows.
package struct BenchmarkMemory: ~Copyable {
    /// The rows of the matrix, and its columns.
    package let size: Int
    /// Normal values of a weight matrix in an element type, as `fill` left them.
    package var input: AlignedBuffer
    /// Receives floats; 4 bytes an element.
    package var output: AlignedBuffer
    /// Codes, of at most a byte an element.
    package var codes: AlignedBuffer
    /// Scales, of which no row has more than one per 32 elements.
    package var scales: [Float]
    /// For packed activations; grows to what is needed.
    package var scratch: AlignedBuffer
    private var filledElement: FloatDType?

    /// The most rows of activations in a product.
    static let mostProductRowCount = 512

    /// The longer side of the weights of a feed-forward part, whole blocks: 11008 for 4096.
    static func wideCount(_ size: Int) -> Int { max(1, size * 43 / 16 / 64) * 64 }

    init(size: Int) throws {
        let count = size * size
        let rows = min(Self.mostProductRowCount, size)
        let wide = Self.wideCount(size)
        let input = try AlignedBuffer(byteCount: 4 * max(count, rows * wide))
        let output = try AlignedBuffer(byteCount: count * 4)
        // Outputs of products lie there, too.
        let codes = try AlignedBuffer(byteCount: max(count, 4 * rows * wide))
        let scratch = try AlignedBuffer(byteCount: 0)
        self.size = size
        self.input = input
        self.output = output
        self.codes = codes
        self.scratch = scratch
        scales = [Float](repeating: 0.05, count: max(count / 32, wide))
        // Finite in every element type, small as scales; pages never written would all be one page of zeros.
        self.output.withMutableBytes { bytes in
            unsafe bytes.withUnsafeMutableBytes {
                _ = unsafe $0.initializeMemory(as: UInt8.self, repeating: 0x3C)
            }
        }
        // Every page is touched and holds plausible codes before anything is measured.
        self.codes.withMutableBytes { bytes in
            var state: UInt32 = 1
            for offset in 0..<bytes.byteCount {
                state = state &* 1_664_525 &+ 1_013_904_223
                unsafe bytes.storeBytes(
                    of: UInt8(truncatingIfNeeded: state >> 24),
                    toUncheckedByteOffset: offset,
                    as: UInt8.self
                )
            }
        }
    }

    /// Fills the input with weights of an element type, unless it holds them.
    mutating func fill(_ element: FloatDType) {
        guard filledElement != element else { return }
        filledElement = element
        // A period of 2¹⁶ elements, so that filling takes no longer than measuring.
        var state: UInt64 = 1
        let weights = (0..<1 << 16).map { _ in
            // The sum of four uniform values: near enough to normal for the searches of a kernel.
            let sum = (0..<4).reduce(Float(0)) { sum, _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return sum + Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31
            }
            return sum * 0.02
        }
        let period = ReferenceFloat.bytes(of: weights, as: element)
        input.withMutableBytes { bytes in
            for offset in 0..<bytes.byteCount {
                unsafe bytes.storeBytes(
                    of: period[offset % period.count],
                    toUncheckedByteOffset: offset,
                    as: UInt8.self
                )
            }
        }
    }
}
