@testable import QuantizeTool
import Testing

@Suite struct QuantityTests {
    @Test(
        arguments: [
            (0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (4_060_000, "4.06 MB"),
            (999_499, "999 kB"), (999_500, "1.00 MB"), (12_345_678_901, "12.3 GB"),
        ]
    )
    func givesBytesThreeDigits(byteCount: Int, text: String) {
        #expect(Quantity.bytes(byteCount) == text)
    }

    @Test func separatesThousands() {
        #expect(Quantity.count(0) == "0")
        #expect(Quantity.count(999) == "999")
        #expect(Quantity.count(1_002_003) == "1,002,003")
        #expect(Quantity.count(-12_345) == "-12,345")
        #expect(Quantity.count(.min) == "-9,223,372,036,854,775,808")
    }

    @Test(
        arguments: [
            (0.04, "0.0 s"), (9.94, "9.9 s"), (42.4, "42 s"), (59.6, "1:00 min"), (187, "3:07 min"),
            (3729, "1:02:09 h"), (Double.infinity, "-"), (Double.nan, "-"),
        ]
    )
    func givesTimes(seconds: Double, text: String) {
        #expect(Quantity.duration(seconds) == text)
    }

    @Test(
        arguments: [
            (0.0728123, 3, "0.0728"), (12.345, 3, "12.3"), (1234.5, 3, "1235"),
            (3.14e-7, 2, "3.1e-07"), (0.99999, 3, "1.00"), (0, 3, "0"), (-0.5, 2, "-0.50"),
            (1e20, 2, "1.0e+20"), (.nan, 3, "-"),
        ]
    )
    func givesSignificantDigits(value: Double, digits: Int, text: String) {
        #expect(Quantity.significant(value, digits) == text)
    }

    @Test func writesADashForWhatIsNoNumber() {
        #expect(Quantity.decimal(nil, 2) == "-")
        #expect(Quantity.decimal(.infinity, 2) == "-")
        #expect(Quantity.percent(nil) == "-")
        #expect(Quantity.rate(5, seconds: 0) == "-")
    }

    @Test func roundsDecimals() {
        #expect(Quantity.decimal(0.005, 1) == "0.0")
        #expect(Quantity.decimal(-0.004, 2) == "0.00")
        #expect(Quantity.decimal(99.995, 1) == "100.0")
        #expect(Quantity.percent(0.2664) == "26.6 %")
    }
}
