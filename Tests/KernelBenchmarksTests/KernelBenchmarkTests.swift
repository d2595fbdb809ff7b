import KernelBenchmarks
import SIMDKernels
import Testing

@Suite struct KernelBenchmarkTests {
    @Test func coversEveryVariantAndTheReference() {
        let names = Set(KernelBenchmark.names(BenchmarkOptions(size: 64, allVariants: true)))
        for element in FloatElement.allCases {
            for variant in Quantize4BitKernel.supported.map(\.name) + ["reference"] {
                #expect(names.contains("quantize/nf4/\(element)/\(variant)"))
                #expect(names.contains("quantize/fp4/\(element)/\(variant)"))
                #expect(names.contains("dequantize/nf4/\(element)/\(variant)"))
                #expect(names.contains("quantize/int8/\(element)/\(variant)"))
                #expect(names.contains("dequantize/int8/\(element)/\(variant)"))
                #expect(names.contains("quantize/8-bit/\(element)/\(variant)"))
                #expect(names.contains("dequantize/8-bit/\(element)/\(variant)"))
                #expect(names.contains("search/nf4/\(element)/\(variant)"))
                #expect(names.contains("search/fp4/\(element)/\(variant)"))
                #expect(names.contains("errors/float32/\(element)/\(variant)"))
                for target in FloatElement.allCases where target != element {
                    #expect(names.contains("convert/\(target)/\(element)/\(variant)"))
                }
            }
        }
        for variant in Multiply4BitFloat32Kernel.supported.map(\.name) {
            #expect(names.contains("multiply/nf4/1/float32/\(variant)"))
        }
        for variant in Multiply4BitBFloat16Kernel.supported.map(\.name) {
            #expect(names.contains("multiply/nf4/1/bfloat16/\(variant)"))
        }
        for variant in Multiply4BitInt8Kernel.supported.map(\.name) {
            #expect(names.contains("multiply/nf4/1/int8/\(variant)"))
        }
        let gradients =
            Multiply4BitTransposedFloat32Kernel.supported.map { "float32/\($0.name)" }
            + Multiply4BitTransposedBFloat16Kernel.supported.map { "bfloat16/\($0.name)" }
        for variant in gradients where !variant.hasSuffix("generic") {
            #expect(names.contains("gradient/nf4/1/\(variant)"))
        }
        for variant in Quantize8BitKernel.supported.map(\.name) + ["reference"] {
            #expect(names.contains("quantize/nested/float32/\(variant)"))
            #expect(names.contains("dequantize/nested/float32/\(variant)"))
        }
    }

    @Test(arguments: [1, 3]) func runsEverySelectedRow(threadCount: Int) throws {
        let options = BenchmarkOptions(
            size: 320,
            threadCount: threadCount,
            seconds: 0,
            leastRunCount: 1,
            filter: "generic",
            allVariants: true
        )
        var names: [String] = []
        let report = try KernelBenchmark.run(options) { names.append($0) }
        let limits = names.prefix { !$0.contains("generic") || $0.contains("peak") }
        #expect(limits.first == "memory read")
        #expect(limits.contains { $0.contains("peak/registers/float32") })
        #expect(names.dropFirst(limits.count) == KernelBenchmark.names(options)[...])
        #expect(report.results.count == names.count - limits.count)
        #expect(report.peaks.count == limits.count - 1)
        #expect(report.peaks.allSatisfy { $0.gigaflops > 0.1 && $0.shareOfLimit == 1 })
        #expect(report.results.allSatisfy { $0.shareOfLimit > 0 })
        #expect(report.results.allSatisfy { $0.runCount == 1 && $0.medianSeconds > 0 })
        #expect(report.text.split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(report.json.contains(#""format": "nf4""#))
    }

    /// Without a wish for all variants: one row for each family, format and kind of number.
    @Test func showsOnlyTheVariantsInUse() {
        let rows = KernelBenchmark.cases(BenchmarkOptions(size: 64))
        #expect(rows.allSatisfy { $0.isSelected })
        let kinds = Set(rows.map { "\($0.operation)/\($0.format)/\($0.numbers)" })
        #expect(kinds.count == rows.count)
    }

    @Test func findsTheMedian() {
        #expect(Stopwatch.median([3, 1, 2]) == 2)
        #expect(Stopwatch.median([4, 1, 2, 3]) == 2.5)
        #expect(Stopwatch.median([]) == 0)
    }
}
