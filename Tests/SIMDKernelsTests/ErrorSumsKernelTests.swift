import SIMDKernels
import Tensors
import TestSupport
import Testing

@Suite struct ErrorSumsKernelTests {
    private func sums(_ kernel: ErrorSumsKernel, _ x: [Float], _ y: [Float]) -> ErrorSums {
        let original = GuardedBuffer(floats: x)
        let decoded = GuardedBuffer(floats: y)
        return kernel.sums(
            original: original.span.bytes,
            as: .float32,
            decoded: decoded.span.bytes,
            as: .float32
        )
    }

    @Test(arguments: ErrorSumsKernel.supported, FloatDType.allCases)
    func matchesReference(kernel: ErrorSumsKernel, element: FloatDType) {
        for decodedElement in FloatDType.allCases {
            for count in raggedCounts where count < 5000 {
                let inputs = [(element, UInt64(1)), (decodedElement, 2)].map { type, seed in
                    KernelInput(count: count, blockSize: 64, as: type, thresholds: [1], seed: seed)
                }
                let original = GuardedBuffer(inputs[0].bytes)
                let decoded = GuardedBuffer(inputs[1].bytes)
                let found = kernel.sums(
                    original: original.span.bytes,
                    as: element,
                    decoded: decoded.span.bytes,
                    as: decodedElement
                )
                let expected = ReferenceErrorSums.sums(
                    original: inputs[0].elements,
                    decoded: inputs[1].elements
                )
                #expect(found == expected, "\(decodedElement), count \(count)")
            }
        }
    }

    @Test(arguments: ErrorSumsKernel.supported)
    func addsUpByHand(kernel: ErrorSumsKernel) {
        // Small integers: every sum is exact, so no order matters.
        for count in raggedCounts where count > 0 && count < 5000 {
            let x = (0..<count).map { Float($0 % 7 - 3) }
            let y = (0..<count).map { Float($0 % 5 - 2) }
            let d = zip(x, y).map { Double($0 - $1) }
            let found = sums(kernel, x, y)
            #expect(found.count == count)
            #expect(found.squareSum == x.reduce(0) { $0 + Double($1 * $1) })
            #expect(found.errorSquareSum == d.reduce(0) { $0 + $1 * $1 })
            #expect(found.errorSum == d.reduce(0) { $0 + $1.magnitude })
            let worst = d.map(\.magnitude).max() ?? 0
            #expect(found.errorMaximum == worst)
            #expect(found.errorIndex == d.firstIndex { $0.magnitude == worst })
        }
    }

    @Test(arguments: ErrorSumsKernel.supported)
    func leavesOutPairsThatAreNotFinite(kernel: ErrorSumsKernel) {
        var x = [Float](repeating: 2, count: 40)
        let y = [Float](repeating: 1, count: 40)
        x[0] = .nan
        x[17] = .infinity
        x[39] = -.infinity
        let found = sums(kernel, x, y)
        #expect(found.count == 37)
        #expect(found.nonFiniteCount == 3)
        #expect(found.errorSum == 37)
        #expect(found.squareSum == 148)
        #expect(found.errorIndex == 1)
    }
}
