@testable import QuantizeTool
import TestSupport

/// A report with everything in it, names from a hostile file included.
enum ReportSamples {
    static let hostileName = "a\"<script>alert(1)</script>&'|*_`"

    static func quality(layerCount: Int = 4) -> QualityReport {
        var generator = SeededGenerator(seed: 7)
        var report = QualityReport(
            title: "tiny-model to NF4",
            summary:
                "3.94 MB became 1.61 MB (4.13 bits per quantized weight), relative RMSE 0.0914."
        )
        report.totals = [
            .init("before", "3.94 MB"), .init("after", "1.61 MB"), .init("ratio", "2.44"),
            .init("bits per quantized weight", "4.500"), .init("relative RMSE", "0.0914"),
        ]
        report.options = [.init("format", "nf4"), .init("block size", "64")]
        report.warnings = ["config.json: the key \"<b>\" is not known [config.unsupported]"]
        let kinds = [
            "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
            "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
        ]
        report.rows.append(row("model.embed_tokens.weight", "kept", 393_216, 786_432, nil))
        for layer in 0..<layerCount {
            for (index, kind) in kinds.enumerated() {
                let error =
                    0.088 + 0.002 * Double(index) + Double(generator.next() % 1000) * 4e-6
                    + (index == 6 ? 0.01 * Double(layer % 3) : 0)
                report.rows.append(
                    row("model.layers.\(layer).\(kind).weight", "nf4", 36_864, 20_800, error)
                )
            }
        }
        report.rows.append(row(hostileName, "kept", 1, 2, nil))
        let counts = [
            190, 380, 560, 700, 830, 920, 980, 990, 985, 940, 870, 780, 660, 540, 390, 210,
        ]
        let values = [
            "-1", "-0.70", "-0.53", "-0.39", "-0.28", "-0.18", "-0.09", "0", "0.08", "0.16", "0.25",
            "0.34", "0.44", "0.56", "0.72", "1",
        ]
        let bars = zip(values, counts).map { (label: $0, count: $1 * 1001) }
        report.histograms = [CodeHistogramPlot(format: "NF4", bars: bars)].compactMap { $0 }
        report.sizes = SizePlot(
            bars: [
                .init(
                    label: "before",
                    parts: [("quantized weights", 2_950_000), ("kept as they are", 990_000)]
                ),
                .init(
                    label: "after",
                    parts: [
                        ("quantized weights", 737_000), ("kept as they are", 990_000),
                        ("scales and tables", 92_000),
                    ]
                ),
            ]
        )
        return report
    }

    private static func row(
        _ name: String,
        _ action: String,
        _ elementCount: Int,
        _ byteCount: Int,
        _ error: Double?
    ) -> QualityReport.Row {
        QualityReport.Row(
            name: name,
            action: action,
            elementCount: elementCount,
            storedByteCount: byteCount,
            relativeRMSE: error,
            maximumError: error.map { $0 / 3 }
        )
    }
}
