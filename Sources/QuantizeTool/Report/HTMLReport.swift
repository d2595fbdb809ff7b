/// The report as one page that needs nothing else: style and pictures are inside.
enum HTMLReport {
    /// Returns the page.
    static func text(_ document: ReportDocument) -> String {
        var page = """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="generator" content="\(ReportFile.mark)">
            <meta name="color-scheme" content="light dark">
            <title>\(HTMLText.escaped(document.title))</title>
            <style>
            \(style)
            </style>
            </head>
            <body>
            <main>
            <h1>\(HTMLText.escaped(document.title))</h1>
            <p class="lead">\(HTMLText.escaped(document.summary))</p>

            """
        var pictureCount = 0
        for (index, section) in document.sections.enumerated() {
            page += "<section aria-labelledby=\"section-\(index)\">\n"
            page += "<h2 id=\"section-\(index)\">\(HTMLText.escaped(section.title))</h2>\n"
            for block in section.blocks {
                page += text(block, pictureCount: &pictureCount)
            }
            page += "</section>\n"
        }
        return page + "</main>\n</body>\n</html>\n"
    }

    private static func text(_ block: ReportDocument.Block, pictureCount: inout Int) -> String {
        switch block {
        case .paragraph(let words):
            return "<p>\(HTMLText.escaped(words))</p>\n"
        case .facts(let facts):
            let rows = facts.map { fact in
                "<div><dt>\(HTMLText.escaped(fact.name))</dt>"
                    + "<dd>\(HTMLText.escaped(fact.value))</dd></div>"
            }
            return "<dl>\n\(rows.joined(separator: "\n"))\n</dl>\n"
        case .table(let table, let caption):
            return text(table, caption: caption)
        case .plot(let plot):
            pictureCount += 1
            let picture = plot.drawing.svg(
                identifier: "plot-\(pictureCount)",
                title: plot.title,
                explanation: plot.explanation
            )
            return """
                <figure>
                <figcaption>\(HTMLText.escaped(plot.title))</figcaption>
                \(picture)
                <details><summary>The numbers</summary>
                \(text(plot.table, caption: plot.explanation))</details>
                </figure>

                """
        }
    }

    private static func text(_ table: TextTable, caption: String) -> String {
        func kind(_ index: Int) -> String { table.columns[index].isNumeric ? " class=\"n\"" : "" }
        let name = HTMLText.escaped(caption)
        var text = "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"\(name)\">\n"
        text += "<table>\n<caption>\(name)</caption>\n<thead><tr>"
        for (index, column) in table.columns.enumerated() {
            text += "<th scope=\"col\"\(kind(index))>\(HTMLText.escaped(column.title))</th>"
        }
        text += "</tr></thead>\n<tbody>\n"
        for row in table.rows {
            text += "<tr>"
            for (index, cell) in row.enumerated() {
                text += "<td\(kind(index))>\(HTMLText.escaped(cell))</td>"
            }
            text += "</tr>\n"
        }
        return text + "</tbody>\n</table>\n</div>\n"
    }

    private static let style = """
        :root { --page: #ffffff; --ink: #1c2024; --muted: #5b6470; --grid: #dfe3e8;
          --stripe: #f5f7f9; --s0: #2a6fdb; --s1: #c2570c; --s2: #13805a; --s3: #a13bb5;
          --s4: #8a6d00; --s5: #c02a54; --s6: #0b7f92; --s7: #6b5bd2; }
        @media (prefers-color-scheme: dark) {
          :root { --page: #15181c; --ink: #e6e9ed; --muted: #9aa4b0; --grid: #323841;
            --stripe: #1c2025; --s0: #6aa5ff; --s1: #ff9a52; --s2: #4fcf9f; --s3: #dd8cf0;
            --s4: #dcc04a; --s5: #ff7d9c; --s6: #4cc9de; --s7: #ada0ff; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--page); color: var(--ink);
          font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
        main { max-width: 72rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
        h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
        h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
        .lead { font-size: 1.05rem; color: var(--muted); margin: 0; }
        dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr));
          gap: 0 2rem; margin: 0; }
        dl div { display: flex; justify-content: space-between; gap: 1rem; padding: .3rem 0;
          border-bottom: 1px solid var(--grid); }
        dt { color: var(--muted); }
        dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums;
          overflow-wrap: anywhere; }
        figure { margin: 0 0 2rem; overflow-x: auto; }
        figure > svg { min-width: 30rem; }
        figcaption { font-weight: 600; margin-bottom: .5rem; }
        svg { display: block; width: 100%; height: auto; }
        details { margin-top: .5rem; }
        summary { color: var(--muted); cursor: pointer; }
        .scroll { overflow: auto; max-height: 40rem; margin: .5rem 0 1rem;
          border: 1px solid var(--grid); border-radius: 6px; }
        table { border-collapse: collapse; width: 100%; font-size: .82rem; }
        caption { text-align: left; color: var(--muted); padding: .5rem .6rem; }
        th, td { padding: .28rem .5rem; text-align: left; white-space: nowrap; }
        th { position: sticky; top: 0; background: var(--page); font-weight: 600;
          box-shadow: inset 0 -1px var(--grid); }
        tbody tr:nth-child(odd) { background: var(--stripe); }
        .n { text-align: right; font-variant-numeric: tabular-nums; }
        .label { fill: var(--muted); font-size: 12px; }
        .label.ink { fill: var(--ink); }
        .grid { stroke: var(--grid); stroke-width: 1; }
        .curve { fill: none; stroke-width: 1.5; stroke-opacity: .55; }
        .mark { stroke: var(--page); stroke-width: 1; }
        .series-0 { fill: var(--s0); stroke: var(--s0); }
        .series-1 { fill: var(--s1); stroke: var(--s1); }
        .series-2 { fill: var(--s2); stroke: var(--s2); }
        .series-3 { fill: var(--s3); stroke: var(--s3); }
        .series-4 { fill: var(--s4); stroke: var(--s4); }
        .series-5 { fill: var(--s5); stroke: var(--s5); }
        .series-6 { fill: var(--s6); stroke: var(--s6); }
        .series-7 { fill: var(--s7); stroke: var(--s7); }
        polyline.curve { fill: none; }
        .bar { stroke: none; }
        .mark { stroke: var(--page); }
        .mark.open { fill: var(--page); stroke-width: 1.6; }
        .mark.open.series-0 { stroke: var(--s0); }
        .mark.open.series-1 { stroke: var(--s1); }
        .mark.open.series-2 { stroke: var(--s2); }
        .mark.open.series-3 { stroke: var(--s3); }
        .mark.open.series-4 { stroke: var(--s4); }
        .mark.open.series-5 { stroke: var(--s5); }
        .mark.open.series-6 { stroke: var(--s6); }
        .mark.open.series-7 { stroke: var(--s7); }
        @media print { .scroll { max-height: none; overflow: visible; } }
        """
}
