internal import Machine
internal import SIMDKernels
internal import Tensors

/// Reading memory and doing nothing with it: the limit that other rows are compared with.
enum MemoryRead {
    /// Returns the row that reads a matrix of float32 once.
    static func benchmarkCase(size: Int) -> BenchmarkCase {
        let byteCount = size * size * 4
        return BenchmarkCase(
            operation: "read",
            format: "memory",
            element: .float32,
            variant: "",
            isSelected: true,
            byteCount: byteCount
        ) { memory, workers in
            let tileByteCount = BenchmarkCase.tileElementCount * 4
            let total = memory.input.withBytes { input in
                workers.map((byteCount + tileByteCount - 1) / tileByteCount) { index, _ in
                    let start = index * tileByteCount
                    let end = min(start + tileByteCount, byteCount)
                    return bitwiseOr(of: input.extracting(start..<end))
                }
            }
            // Uses the result, so that the compiler keeps the loads.
            memory.scales[0] = total.contains(.max) ? 0.05 : memory.scales[0]
        }
    }

    /// Returns the bitwise or of all words.
    private static func bitwiseOr(of bytes: RawSpan) -> UInt32 {
        typealias Vector = SIMD8<UInt32>
        let stride = 4 * MemoryLayout<Vector>.size
        return unsafe bytes.withUnsafeBytes { bytes in
            var sums = (Vector.zero, Vector.zero, Vector.zero, Vector.zero)
            for offset in Swift.stride(from: 0, to: bytes.count / stride * stride, by: stride) {
                unsafe sums.0 |= bytes.loadUnaligned(fromByteOffset: offset, as: Vector.self)
                unsafe sums.1 |= bytes.loadUnaligned(fromByteOffset: offset + 32, as: Vector.self)
                unsafe sums.2 |= bytes.loadUnaligned(fromByteOffset: offset + 64, as: Vector.self)
                unsafe sums.3 |= bytes.loadUnaligned(fromByteOffset: offset + 96, as: Vector.self)
            }
            let all = sums.0 | sums.1 | sums.2 | sums.3
            return all.indices.reduce(0) { $0 | all[$1] }
        }
    }
}
