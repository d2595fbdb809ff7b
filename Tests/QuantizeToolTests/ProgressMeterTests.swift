@testable import QuantizeTool
import Testing

@Suite struct ProgressMeterTests {
    @Test func tellsShareRateAndTimeLeft() {
        var meter = ProgressMeter(totalByteCount: 4_000_000_000)
        meter.record(byteCount: 1_000_000_000, seconds: 2)
        #expect(
            meter.line(doing: "model.layers.3", width: 80)
                == "25 %  1.00 GB of 4.00 GB  500 MB/s  6.0 s left  model.layers.3"
        )
    }

    @Test func promisesNothingBeforeItKnows() {
        let meter = ProgressMeter(totalByteCount: 100)
        #expect(meter.bytesPerSecond == nil)
        #expect(meter.secondsLeft == nil)
        #expect(meter.line(doing: "", width: 80) == "0 %  0 B of 100 B")
    }

    @Test func survivesAnEmptyInput() {
        let meter = ProgressMeter(totalByteCount: 0)
        #expect(meter.line(doing: "", width: 80) == "100 %  0 B of 0 B")
    }

    @Test(arguments: [20, 40, 60, 80, 200])
    func keepsToTheWidth(width: Int) {
        var meter = ProgressMeter(totalByteCount: 100)
        meter.record(byteCount: 10, seconds: 1)
        let name = String(repeating: "layer.", count: 40)
        #expect(meter.line(doing: name, width: width).count <= max(width, 45))
    }

    @Test func keepsTheEndOfTheTensorsName() {
        var meter = ProgressMeter(totalByteCount: 269_000_000)
        meter.record(byteCount: 123_000_000, seconds: 1)
        let line = meter.line(doing: "model.layers.12.self_attn.q_proj.weight", width: 79)
        #expect(line.hasSuffix("  …yers.12.self_attn.q_proj.weight"))
        #expect(line.count <= 79)
    }

    @Test func followsTheLatestRate() {
        var meter = ProgressMeter(totalByteCount: 1_000_000)
        for second in 1...100 { meter.record(byteCount: second * 100, seconds: Double(second)) }
        for second in 101...140 {
            meter.record(byteCount: 10_000 + (second - 100) * 1000, seconds: Double(second))
        }
        let rate = meter.bytesPerSecond ?? 0
        #expect((990...1010).contains(rate))
    }
}
