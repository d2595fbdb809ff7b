import SIMDKernels
import Tensors
import TestSupport
import Testing

/// Maps with the structure of the real ones and other numbers.
enum TestMap: CaseIterable {
    case linear, powers, unsigned, tooFine

    var codebook: Codebook8Bit {
        let steps = (0..<256).map { Float($0 - 127) }
        return switch self {
        case .linear: Codebook8Bit(values: steps.map { $0 / 128 })
        case .powers:
            Codebook8Bit(
                values: steps.map { step in
                    let index = Int(step.magnitude)
                    let power = Float(sign: .plus, exponent: index / 8 - 16, significand: 1)
                    return step == 0 ? 0 : power * (1 + Float(index % 8) / 8) * (step < 0 ? -1 : 1)
                }
            )
        case .unsigned: Codebook8Bit(values: (0..<256).map { Float($0) / 255 })
        case .tooFine: Codebook8Bit(values: steps.map { 0.5 + $0 * 0x1p-20 })
        }
    }
}

@Suite struct Blockwise8BitKernelTests {
    static let blockSizes = [1, 3, 31, 32, 64, 100, 256, 4096]

    @Test(arguments: Quantize8BitKernel.supported, FloatDType.allCases)
    func matchesReference(kernel: Quantize8BitKernel, element: FloatDType) {
        for map in TestMap.allCases {
            let codebook = map.codebook
            let midpoints = zip(codebook.values, codebook.values.dropFirst()).map {
                ($0 + $1) * 0.5
            }
            for blockSize in Self.blockSizes {
                for count in [0, 1, 31, 33, 65, blockSize + 1, 200] {
                    let seed = UInt64(blockSize << 20 | count)
                    let input = KernelInput(
                        count: count,
                        blockSize: blockSize,
                        as: element,
                        thresholds: midpoints,
                        seed: seed
                    )
                    let expected = Reference8Bit.quantize(
                        input.elements,
                        blockSize: blockSize,
                        values: codebook.values
                    )
                    let bytes = GuardedBuffer(input.bytes)
                    let codes = GuardedBuffer(byteCount: count)
                    let absmax = GuardedBuffer(byteCount: expected.absmax.count * 4)
                    var codeSpan = codes.bytes.mutableBytes
                    var absmaxSpan = absmax.floats.mutableSpan
                    kernel.quantize(
                        bytes.span.bytes,
                        as: element,
                        blockSize: blockSize,
                        codebook: codebook,
                        codes: &codeSpan,
                        absmax: &absmaxSpan
                    )
                    let place: Comment = "\(map), count \(count), block size \(blockSize)"
                    #expect(codes.content == expected.codes, place)
                    #expect(
                        absmax.floats.map(\.bitPattern) == expected.absmax.map(\.bitPattern),
                        place
                    )
                }
            }
        }
    }

    @Test(arguments: Dequantize8BitKernel.supported, FloatDType.allCases)
    func decodesAsReference(kernel: Dequantize8BitKernel, element: FloatDType) {
        let codebook = TestMap.powers.codebook
        let special: [Float] = [1, -0.3, 0, .nan, .infinity, 0x1p-146, 3e38, 1e-38]
        for blockSize in Self.blockSizes {
            for count in [0, 1, 7, 33, 64, 600] {
                let content = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 37) }
                let scaleCount = (count + blockSize - 1) / blockSize
                let scales = (0..<scaleCount).map { special[$0 % special.count] }
                let expected = Reference8Bit.dequantize(
                    codes: content,
                    absmax: scales,
                    blockSize: blockSize,
                    values: codebook.values
                )
                let codes = GuardedBuffer(content)
                let absmax = GuardedBuffer(floats: scales)
                let output = GuardedBuffer(byteCount: count * element.byteCount)
                var span = output.bytes.mutableBytes
                kernel.dequantize(
                    codes: codes.span.bytes,
                    absmax: UnsafeBufferPointer(absmax.floats).span,
                    blockSize: blockSize,
                    values: codebook,
                    into: &span,
                    as: element,
                    streaming: count % 2 == 0
                )
                #expect(
                    output.content == ReferenceFloat.bytes(of: expected, as: element),
                    "count \(count), block size \(blockSize)"
                )
            }
        }
    }

    @Test func onlyFineMapsLackTheLookup() {
        #expect(TestMap.allCases.map(\.codebook.hasLookup) == [true, true, true, false])
    }
}
