internal import ArgumentParser
internal import CheckpointIO
internal import KernelBenchmarks

/// `quantize bench`: what this machine's kernels do, beside what its memory can.
struct Bench: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure this machine's kernels.",
        usage: "quantize bench [<options>]",
        discussion: """
            Measures how fast memory can be read, then every family of kernels in every variant \
            that this processor can run, in GB/s of floats read or written.
            """
    )

    @OptionGroup(title: "What to measure")
    var measurement: MeasurementOptions

    @OptionGroup(title: "Shared options")
    var threads: ThreadOptions

    @OptionGroup(title: "Shared options")
    var progress: ProgressOptions

    @OptionGroup(title: "Shared options")
    var shared: SharedOptions

    var showsProgress: Bool { !progress.noProgress }

    func perform(on console: Console) throws -> CommandResult {
        let options = BenchmarkOptions(
            size: measurement.size,
            threadCount: threads.count,
            seconds: measurement.seconds,
            filter: measurement.filter
        )
        let measured = try KernelBenchmark.run(options) { console.status($0) }
        console.endProgress()
        return CommandResult(
            text: measured.text,
            json: try JSONObject(parsing: Array(measured.json.utf8)),
            report: Bench.report(measured)
        )
    }

    private static func report(_ measured: BenchmarkReport) -> ReportDocument {
        let read = measured.memoryRead.gigabytesPerSecond
        var document = ReportDocument(
            title: "quantize bench",
            summary: "Every kernel beside the speed at which memory can be read: "
                + "\(Quantity.decimal(read, 1)) GB/s."
        )
        var table = TextTable(
            columns: [
                .text("operation"), .text("format"), .text("element"), .text("variant"),
                .number("ms"), .number("GB/s"), .number("GFLOP/s"), .number("of reading"),
            ]
        )
        table.rows = measured.results.map { row in
            [
                row.operation, row.format, row.element,
                row.variant + (row.isSelected ? " (in use)" : ""),
                Quantity.significant(row.medianSeconds * 1e3, 3),
                Quantity.significant(row.gigabytesPerSecond, 3),
                row.operationCount > 0 ? Quantity.significant(row.gigaflops, 3) : "-",
                Quantity.percent(row.gigabytesPerSecond / read),
            ]
        }
        let caption =
            "A matrix of \(measured.options.size) x \(measured.options.size), "
            + "\(measured.options.threadCount) threads; bytes are those of the floats"
        document.append("Kernels", [.table(table, caption: caption)])
        return document
    }
}

/// How much is measured.
struct MeasurementOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("Rows of the matrix, and columns; a multiple of 64.", valueName: "n")
    )
    var size = 4096

    @Option(
        name: .long,
        help: ArgumentHelp("Seconds for each measurement, at least.", valueName: "s")
    )
    var seconds = 0.25

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Measure only rows whose name contains this, such as quantize/nf4.",
            valueName: "text"
        )
    )
    var filter: String?

    func validate() throws {
        if !(64...16384).contains(size) || size % 64 != 0 {
            throw ValidationError("--size takes a multiple of 64 from 64 to 16384, not \(size)")
        }
        if !(0.001...60).contains(seconds) {
            throw ValidationError("--seconds takes a number from 0.001 to 60, not \(seconds)")
        }
    }
}
