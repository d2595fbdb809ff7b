import Foundation
@testable import QuantizeTool
import Testing

#if canImport(FoundationXML)
import FoundationXML
#endif

@Suite struct ReportTests {
    @Test func pageIsWellFormed() throws {
        let page = HTMLReport.text(ReportSamples.quality().document)
        #expect(page.hasPrefix("<!DOCTYPE html>"))
        // The page keeps to the part of HTML that is also XML, but for the empty elements.
        var xml = page.replacingOccurrences(of: "<!DOCTYPE html>", with: "")
        for tag in ["<meta charset=\"utf-8\">"] {
            xml = xml.replacingOccurrences(of: tag, with: "")
        }
        xml = xml.split(separator: "\n").filter { !$0.hasPrefix("<meta") }.joined(separator: "\n")
        let parser = XMLParser(data: Data(xml.utf8))
        #expect(
            parser.parse(),
            "line \(parser.lineNumber): \(String(describing: parser.parserError))"
        )
    }

    @Test func pageNeedsNothingElse() {
        let page = HTMLReport.text(ReportSamples.quality().document)
        for outside in ["http:", "https:", "src=", "@import", "url(", "<script", "<link"] {
            let count = page.components(separatedBy: outside).count - 1
            // The name space of SVG is a name, not an address.
            let allowed = outside == "http:" ? page.components(separatedBy: "xmlns=").count - 1 : 0
            #expect(count == allowed, "\(outside) occurs \(count) times")
        }
    }

    @Test func pageFollowsLightAndDark() {
        let page = HTMLReport.text(ReportSamples.quality().document)
        #expect(page.contains("prefers-color-scheme: dark"))
        #expect(page.contains("content=\"light dark\""))
    }

    @Test func everyPictureHasTitleExplanationAndTable() {
        let page = HTMLReport.text(ReportSamples.quality().document)
        let pictures = page.components(separatedBy: "<svg ").dropFirst()
        #expect(pictures.count == 3)
        for (index, picture) in pictures.enumerated() {
            #expect(picture.contains("role=\"img\""))
            #expect(picture.contains("<title id=\"plot-\(index + 1)-title\">"))
            #expect(picture.contains("<desc id=\"plot-\(index + 1)-desc\">"))
            #expect(picture.contains("<summary>The numbers</summary>"))
        }
    }

    @Test func namesCannotBecomeMarkup() {
        let document = ReportSamples.quality().document
        #expect(!HTMLReport.text(document).contains("<script>"))
        #expect(HTMLReport.text(document).contains("&lt;script&gt;"))
        let markdown = MarkdownReport.text(document)
        #expect(markdown.contains("\\<script\\>"))
        #expect(markdown.contains("\\|\\*\\_\\`"))
    }

    @Test func markdownTablesHaveEqualRows() {
        let markdown = MarkdownReport.text(ReportSamples.quality().document)
        var width: Int?
        for line in markdown.split(separator: "\n", omittingEmptySubsequences: false) {
            guard line.hasPrefix("|") else {
                width = nil
                continue
            }
            let bare = line.replacingOccurrences(of: "\\|", with: "")
            let count = bare.filter { $0 == "|" }.count
            #expect(count == width ?? count, "\(line)")
            width = count
        }
    }

    @Test func reportsOfTheSameRunAreTheSame() {
        let first = ReportSamples.quality().document
        let second = ReportSamples.quality().document
        #expect(HTMLReport.text(first) == HTMLReport.text(second))
        #expect(MarkdownReport.text(first) == MarkdownReport.text(second))
    }

    @Test(arguments: [("r.html", "html"), ("R.HTML", "html"), ("a.b.md", "md"), ("x.json", "json")])
    func formatFollowsTheExtension(name: String, format: String) {
        #expect(ReportFormat(fileName: name)?.rawValue == format)
    }

    @Test(arguments: ["report", "report.txt", "html", "report.html.zst", "report."])
    func otherExtensionsAreRefused(name: String) {
        #expect(ReportFormat(fileName: name) == nil)
    }
}

@Suite struct PlotTests {
    @Test(
        arguments: [
            ("model.layers.7.mlp.up_proj.weight", 7, "up_proj"),
            ("transformer.h.11.attn.c_attn.weight", 11, "c_attn"),
            ("model.layers.3.mlp.experts.5.w1.weight", 3, "w1"),
        ]
    )
    func findsLayerAndKind(name: String, layer: Int, kind: String) {
        let place = LayerErrorPlot.place(of: name)
        #expect(place?.layer == layer)
        #expect(place?.kind == kind)
    }

    @Test(arguments: [
        "lm_head.weight", "model.embed_tokens.weight", "", "layers.3", "layers.3.weight",
    ])
    func leavesOutWhatIsInNoLayer(name: String) {
        #expect(LayerErrorPlot.place(of: name) == nil)
    }

    @Test func axisCoversItsIntervalWithRoundNumbers() {
        let axis = Axis(covering: 0.0871...0.1134)
        #expect(axis.labels == ["0.08", "0.09", "0.10", "0.11", "0.12"])
        #expect(axis.position(of: 0.08) == 0)
        #expect(abs(axis.position(of: 0.12) - 1) < 1e-12)
    }

    @Test(arguments: [0...1.0, 0...0, 5...5, 1e-9...2e-9, 0...1e12, 0.3...0.30000001])
    func axisHasSomeTicks(interval: ClosedRange<Double>) {
        let axis = Axis(covering: interval)
        #expect((2...13).contains(axis.ticks.count))
        #expect(Set(axis.labels).count == axis.labels.count)
        #expect((axis.ticks.first ?? .infinity) <= interval.lowerBound * (1 + 1e-9))
        #expect((axis.ticks.last ?? -.infinity) >= interval.upperBound * (1 - 1e-9))
    }

    @Test func entropyOfEvenCodesIsTheirWidth() {
        let even = CodeHistogramPlot(
            format: "NF4",
            bars: (0..<16).map { (label: "\($0)", count: 5) }
        )
        #expect(abs((even?.entropy ?? 0) - 4) < 1e-12)
        let single = CodeHistogramPlot(format: "NF4", bars: [(label: "0", count: 5)])
        #expect(single?.entropy == 0)
    }

    @Test func exactTensorsDoNotSquashThePlot() throws {
        let tensors = [
            ("model.layers.0.mlp.up_proj.weight", 0.095),
            ("model.layers.1.mlp.up_proj.weight", 0.09),
            ("model.layers.0.input_layernorm.weight", 0.0), ("model.norm.weight", 0.0),
        ]
        let plot = try #require(LayerErrorPlot(tensors.map { (name: $0.0, error: $0.1) }))
        #expect(plot.series.map(\.name) == ["up_proj"])
        #expect(plot.exactCount == 2)
        #expect(plot.explanation.contains("2 tensors without error are left out"))
        let picture = plot.drawing.svg(identifier: "p", title: "", explanation: "")
        #expect(!picture.contains(">0.00<"))
        #expect(LayerErrorPlot([("model.layers.0.norm.weight", 0)]) == nil)
    }

    @Test func everySeriesHasItsOwnMarkAndItsWholeName() throws {
        let kinds = (0..<16).map { "a_module_with_a_long_name_\($0)" }
        let plot = try #require(
            LayerErrorPlot(kinds.map { (name: "layers.0.mlp.\($0).weight", error: 0.1) })
        )
        let drawing = plot.drawing
        var marks: Set<String> = []
        for (index, kind) in kinds.enumerated() {
            var single = SVGDrawing(width: 1, height: 1)
            single.mark(index, at: (0, 0))
            marks.insert(single.elements[0])
            let label = try #require(drawing.elements.first { $0.contains(">\(kind)<") })
            // Inside the picture, at 7.2 units a letter.
            #expect(652 + 7.2 * Double(kind.count) <= drawing.width, "\(label)")
        }
        #expect(marks.count == 16)
        #expect(drawing.height >= 26 + 20 * 15)
    }

    @Test func nothingIsDrawnOfNothing() {
        #expect(CodeHistogramPlot(format: "NF4", bars: [(label: "0", count: 0)]) == nil)
        #expect(LayerErrorPlot([("lm_head.weight", 0.1)]) == nil)
    }
}
