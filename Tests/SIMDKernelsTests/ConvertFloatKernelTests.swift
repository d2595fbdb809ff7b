import SIMDKernels
import Tensors
import TestSupport
import Testing

@Suite struct ConvertFloatKernelTests {
    @Test(arguments: ConvertFloatKernel.supported, FloatDType.allCases)
    func roundsAsReference(kernel: ConvertFloatKernel, element: FloatDType) {
        for target in FloatDType.allCases where target != element {
            for count in raggedCounts where count < 2000 {
                let input = KernelInput(
                    count: count,
                    blockSize: 16,
                    as: element,
                    thresholds: [65504, 65520, 0x1p-25, 0x1p-24, 3.39e38, 0x1p-136],
                    seed: UInt64(count)
                )
                let expected = ReferenceFloat.bytes(of: input.elements, as: target)
                let rounded = ReferenceFloat.values(in: expected, as: target)
                let pairs = Array(zip(input.elements, rounded))
                let buffer = GuardedBuffer(input.bytes)
                let output = GuardedBuffer(byteCount: expected.count)
                var span = output.bytes.mutableBytes
                let losses = kernel.convert(
                    buffer.span.bytes,
                    as: element,
                    into: &span,
                    as: target
                )
                #expect(output.content == expected, "to \(target), count \(count)")
                #expect(losses.overflowCount == pairs.count { $0.isFinite && $1.isInfinite })
                #expect(losses.underflowCount == pairs.count { $0 != 0 && $1 == 0 })
            }
        }
    }
}
