extension BenchmarkReport {
    /// The report as a table of at most 79 columns.
    public var text: String {
        let read = memoryRead.gigabytesPerSecond
        var lines = [
            "\(options.size)x\(options.size), \(options.threadCount) threads; GB/s are those of the"
                + " floats,",
            "of products those of codes and scales; medians of the runs",
            "memory read \(Self.decimal(read)) GB/s",
            "",
            Self.line(
                "operation",
                "format",
                "element",
                "variant",
                "ms",
                "GB/s",
                "GFLOP/s",
                "% read"
            ),
        ]
        for result in results {
            lines.append(
                Self.line(
                    result.operation,
                    result.format,
                    result.element,
                    result.variant + (result.isSelected ? " *" : ""),
                    Self.decimal(result.medianSeconds * 1e3),
                    Self.decimal(result.gigabytesPerSecond),
                    result.operationCount > 0 ? Self.decimal(result.gigaflops) : "-",
                    Self.decimal(result.gigabytesPerSecond / read * 100)
                )
            )
        }
        return lines.joined(separator: "\n") + "\n\n* in use\n"
    }

    /// The report as one JSON object.
    public var json: String {
        let rows = results.map { "    " + Self.json($0) }.joined(separator: ",\n")
        return """
            {
              "size": \(options.size),
              "threads": \(options.threadCount),
              "memory_read": \(Self.json(memoryRead)),
              "results": [
            \(rows)
              ]
            }

            """
    }

    private static func json(_ result: BenchmarkResult) -> String {
        """
        {"operation": "\(result.operation)", "format": "\(result.format)", \
        "element": "\(result.element)", "variant": "\(result.variant)", \
        "selected": \(result.isSelected), "bytes": \(result.byteCount), \
        "runs": \(result.runCount), "median_seconds": \(result.medianSeconds), \
        "best_seconds": \(result.bestSeconds), "gigaflops": \(result.gigaflops), "gigabytes_per_second": \(result.gigabytesPerSecond)}
        """
    }

    private static func line(_ columns: String...) -> String {
        let widths = [11, 9, 9, 14, -9, -8, -8, -8]
        let padded = zip(columns, widths).map { column, width in
            let padding = String(repeating: " ", count: max(0, abs(width) - column.count))
            return width < 0 ? padding + column : column + padding
        }
        return padded.joined()
    }

    /// Three significant digits, or all digits before the point.
    private static func decimal(_ value: Double) -> String {
        let places = value < 1 ? 3 : value < 10 ? 2 : value < 1000 ? 1 : 0
        let scale = (0..<places).reduce(1.0) { product, _ in product * 10 }
        let units = Int((value * scale).rounded())
        guard places > 0 else { return "\(units)" }
        let fraction = String(units % Int(scale))
        let zeros = String(repeating: "0", count: places - fraction.count)
        return "\(units / Int(scale)).\(zeros)\(fraction)"
    }
}
