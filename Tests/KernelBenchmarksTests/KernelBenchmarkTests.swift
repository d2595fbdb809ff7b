import KernelBenchmarks
import SIMDKernels
import Tensors
import Testing

@Suite struct KernelBenchmarkTests {
    @Test func coversEveryVariantAndTheReference() {
        let names = Set(KernelBenchmark.names(BenchmarkOptions(size: 64, allVariants: true)))
        for element in FloatDType.allCases {
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
                for target in FloatDType.allCases where target != element {
                    #expect(names.contains("convert/\(target)/\(element)/\(variant)"))
                }
            }
        }
        for (width, format) in [(CodeWidth.four, "nf4"), (.eight, "int8")] {
            for mode in ComputeMode.allCases {
                for kernel in MultiplyKernel.compiled(width, mode).supported {
                    #expect(names.contains("multiply/\(format)/1/\(mode)/\(kernel)"))
                }
            }
            for mode in [ComputeMode.float32, .bfloat16] {
                let kernels = MultiplyTransposedKernel.compiled(width, mode).supported
                for kernel in kernels where kernel.name != "generic" {
                    #expect(names.contains("gradient/\(format)/1/\(mode)/\(kernel)"))
                }
            }
        }
        for shape in ["up", "down"] {
            #expect(names.contains { $0.hasPrefix("multiply/nf4/1/\(shape)/bfloat16/") })
            #expect(names.contains { $0.hasPrefix("gradient/nf4/1/\(shape)/bfloat16/") })
        }
        for variant in Quantize8BitKernel.supported.map(\.name) + ["reference"] {
            #expect(names.contains("quantize/nested/float32/\(variant)"))
            #expect(names.contains("dequantize/nested/float32/\(variant)"))
        }
    }

    @Test func manyRowsPassOverASmallMatrix() throws {
        let options = BenchmarkOptions(
            size: 128,
            seconds: 0,
            leastRunCount: 1,
            filter: "/128/"
        )
        let report = try KernelBenchmark.run(options)
        #expect(report.results.count == 10)
        #expect(report.results.allSatisfy { $0.medianSeconds > 0 })
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
