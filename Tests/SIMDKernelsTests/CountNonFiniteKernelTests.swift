import SIMDKernels
import Tensors
import TestSupport
import Testing

@Suite struct CountNonFiniteKernelTests {
    /// Bits of numbers at the ends of the ranges: largest finite, infinity, and NaNs with least and most
    /// payload, of both signs.
    private func edges(_ element: FloatDType) -> (finite: [UInt32], other: [UInt32]) {
        let infinity: UInt32 =
            switch element {
            case .float32: 0x7f80_0000
            case .bfloat16: 0x7f80
            case .float16: 0x7c00
            }
        let sign: UInt32 = element == .float32 ? 1 << 31 : 1 << 15
        let finite = [0, 1, infinity - 1]
        let other = [infinity, infinity + 1, sign - 1]
        return (finite + finite.map { $0 | sign }, other + other.map { $0 | sign })
    }

    @Test(arguments: CountNonFiniteKernel.supported, FloatDType.allCases)
    func countsNaNAndInfinityAlone(kernel: CountNonFiniteKernel, element: FloatDType) {
        let (finite, other) = edges(element)
        var random = SeededGenerator(seed: 5)
        // Beyond the elements that one counter of 16 or of 32 bits takes.
        for count in raggedCounts.filter({ $0 < 5000 }) + [70_001, (1 << 20) + 3] {
            for share in [0, 3, 64] as [UInt64] {
                var expected = 0
                var bytes: [UInt8] = []
                bytes.reserveCapacity(count * element.byteCount)
                for _ in 0..<count {
                    let isOther = random.next() % 64 < share
                    if isOther { expected += 1 }
                    let bits = (isOther ? other : finite)[Int(random.next() % 6)]
                    for place in 0..<element.byteCount {
                        bytes.append(UInt8(truncatingIfNeeded: bits >> (8 * place)))
                    }
                }
                let input = GuardedBuffer(bytes)
                #expect(
                    kernel.count(in: input.span.bytes, as: element) == expected,
                    "\(count) elements, \(share) of 64"
                )
            }
        }
    }
}
