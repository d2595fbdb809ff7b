internal import SIMDKernels

extension BenchmarkReport {
    /// The report as a table of at most 79 columns.
    public var text: String {
        var lines = [
            "\(options.size)x\(options.size), \(options.threadCount) threads; GB/s are those of the"
                + " floats,",
            "of products those of codes and scales; medians of the runs",
            "",
        ]
        lines += limitLines
        lines += [
            "",
            Self.line(
                "operation",
                "format",
                "element",
                "variant",
                "ms",
                "GB/s",
                "GFLOP/s",
                "% limit"
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
                    Self.decimal(result.shareOfLimit * 100)
                )
            )
        }
        lines += [
            "",
            "* in use; the limit of products with more than one row is the peak of their",
            "mode, or of float32 if the mode has none; that of all else is reading memory",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    /// What the machine can do, a line each.
    private var limitLines: [String] {
        let read = "memory read".padding(24) + Self.decimal(memoryRead.gigabytesPerSecond) + " GB/s"
        return [read]
            + peaks.map { peak in
                "\(peak.element) peak".padding(24)
                    + "\(Self.decimal(peak.bestGigaflops)) GFLOP/s (\(peak.variant))"
            }
    }

    /// The report as one JSON object.
    public var json: String {
        let rows = results.map { "    " + Self.json($0) }.joined(separator: ",\n")
        let peakRows = peaks.map { "    " + Self.json($0) }.joined(separator: ",\n")
        return """
            {
              "size": \(options.size),
              "threads": \(options.threadCount),
              "memory_read": \(Self.json(memoryRead)),
              "peaks": [
            \(peakRows)
              ],
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
        "best_seconds": \(result.bestSeconds), "gigaflops": \(result.gigaflops), "gigabytes_per_second": \(result.gigabytesPerSecond), \
        "limit": "\(result.limit.name)", "share_of_limit": \(result.shareOfLimit)}
        """
    }

    private static func line(_ columns: String...) -> String {
        let widths = [11, 13, 9, 14, -9, -8, -8, -8]
        return zip(columns, widths).map { $0.padding($1) }.joined()
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

extension BenchmarkLimit {
    /// How JSON calls it.
    fileprivate var name: String {
        switch self {
        case .memory: "memory_read"
        case .arithmetic(let mode): "peak_\(mode.rawValue)"
        }
    }
}

extension String {
    /// The text filled with spaces to a width: behind it, or before it if the width is negative.
    fileprivate func padding(_ width: Int) -> String {
        let spaces = String(repeating: " ", count: max(0, abs(width) - count))
        return width < 0 ? spaces + self : self + spaces
    }
}
