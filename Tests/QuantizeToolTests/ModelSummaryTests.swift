import CheckpointIO
import Quant
@testable import QuantizeTool
import Testing

@Suite struct CodeCountsTests {
    @Test func barsFollowTheValuesAndNotTheCodes() throws {
        let counts = Array(0..<16)
        let fp4 = try #require(CodeCounts.histograms([(.fp4, counts)]).first)
        #expect(
            fp4.bars.map(\.label) == [
                "-1.0", "-0.67", "-0.50", "-0.33", "-0.25", "-0.17", "-0.0052", "-0", "0", "0.0052",
                "0.17", "0.25", "0.33", "0.50", "0.67", "1.0",
            ]
        )
        #expect(fp4.bars.map(\.count) == [11, 10, 13, 12, 15, 14, 9, 8, 0, 1, 6, 7, 4, 5, 2, 3])
        let nf4 = try #require(CodeCounts.histograms([(.nf4, counts)]).first)
        #expect(nf4.bars.map(\.count) == counts)
        #expect(nf4.bars[7].label == "0")
    }

    @Test func int8CodesAreSigned() throws {
        let counts = Array(0..<256)
        let int8 = try #require(CodeCounts.histograms([(.int8Vectorwise, counts)]).first)
        #expect(int8.bars.first?.label == "-128")
        #expect(int8.bars.first?.count == 128)
        #expect(int8.bars.last?.label == "127")
        #expect(int8.bars.last?.count == 127)
    }

    @Test func countsOfAFormatAddUp() {
        let ones = [Int](repeating: 1, count: 16)
        let histograms = CodeCounts.histograms([
            (.fp4, ones), (.nf4, ones), (.fp4, ones), (.nf4, []),
        ])
        #expect(histograms.map(\.format) == ["nf4", "fp4"])
        #expect(histograms.map { $0.bars.reduce(0) { $0 + $1.count } } == [16, 32])
        #expect(CodeCounts.histograms([]).isEmpty)
    }
}

@Suite struct ModelSummaryTests {
    private func summary() -> ModelSummary {
        var summary = ModelSummary(command: "convert", modelName: "m")
        summary.before = ModelSummary.Sizes(quantized: 2000, kept: 500)
        summary.after = ModelSummary.Sizes(quantized: 500, scales: 62, kept: 500)
        summary.quantizedWeightCount = 1000
        summary.relativeRMSE = 0.0914
        return summary
    }

    @Test func bitsCountScalesToo() throws {
        let bits = try #require(summary().bitsPerQuantizedWeight)
        #expect(abs(bits - 4.496) < 1e-12)
        #expect(ModelSummary(command: "convert", modelName: "m").bitsPerQuantizedWeight == nil)
    }

    @Test func totalsAreToldInBothForms() throws {
        let facts = summary().facts
        #expect(facts.contains(.init("ratio", "2.35")))
        #expect(facts.contains(.init("bits per quantized weight", "4.496")))
        let totals = try summary().json.object("totals")
        #expect(try totals.integer("tensor_bytes_before") == 2500)
        #expect(try totals.integer("tensor_bytes") == 1062)
        #expect(try totals.double("relative_rmse") == 0.0914)
        #expect(try totals.optionalDouble("max_error") == nil)
    }

    @Test func wordsAreQuotedOnlyWhereTheShellNeedsIt() {
        #expect(ShellWord("out/model-nf4").description == "out/model-nf4")
        #expect(ShellWord("my model").description == "'my model'")
        #expect(ShellWord("it's").description == "'it'\\''s'")
        #expect(ShellWord("$HOME").description == "'$HOME'")
        #expect(ShellWord("").description == "''")
    }
}
