@testable import QuantizeTool
import Testing

@Suite struct TextTableTests {
    private func table() -> TextTable {
        var table = TextTable(columns: [.text("tensor"), .number("bits"), .text("action")])
        table.rows = [["a", "4.5", "nf4"], ["model.layers.10.mlp.up_proj", "16", "kept"]]
        return table
    }

    @Test func alignsWordsLeftAndNumbersRight() {
        #expect(
            table().lines() == [
                "tensor                       bits  action",
                "---------------------------  ----  ------",
                "a                             4.5  nf4",
                "model.layers.10.mlp.up_proj    16  kept",
            ]
        )
    }

    @Test func shortensTheFirstColumnToFit() {
        let lines = table().lines(width: 32)
        #expect(lines.allSatisfy { $0.count <= 32 })
        #expect(lines.last?.contains("…") == true)
        #expect(lines.last?.hasSuffix("16  kept") == true)
    }

    @Test func keepsTheEndOfNames() {
        #expect(TextTable.shortened("model.layers.10.up_proj", to: 12) == "mode…up_proj")
        #expect(TextTable.shortened("short", to: 12) == "short")
    }
}
