@testable import QuantizeTool
import Testing

@Suite struct ByteSizeTests {
    @Test(
        arguments: [
            ("5GB", 5_000_000_000), ("500MB", 500_000_000), ("2GiB", 2_147_483_648),
            ("10KB", 10_000), ("4KiB", 4096), ("1TB", 1_000_000_000_000), ("4096", 4096),
            ("7B", 7),
        ]
    )
    func parsesUnits(text: String, byteCount: Int) {
        #expect(ByteSize(text)?.byteCount == byteCount)
    }

    @Test(
        arguments: [
            "", "GB", "-5GB", "0", "0MB", "5 GB", "1.5GB", "5gb", "5Gb", "5X", "５GB", "0x10",
            "9223372036854775808", "9999999999TB", "GB5",
        ]
    )
    func refusesEverythingElse(text: String) {
        #expect(ByteSize(text) == nil)
    }
}
