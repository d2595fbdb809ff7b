internal import ArgumentParser
internal import CheckpointIO
internal import KernelBenchmarks
internal import ModelBenchmarks

/// `quantize bench`: what this machine's kernels do, beside what its memory can.
struct Bench: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure this machine's kernels.",
        usage: "quantize bench [<options>]",
        discussion: """
            Measures how fast memory can be read and how fast numbers can be multiplied and added, \
            then every family of kernels beside these limits, each in the variant in use. With --layers \
            what adapters cost on 4-bit layers, in place of kernels; with --model what a whole model does.
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
        if let model = measurement.model {
            return try ModelBenchSummary.measured(model, self, on: console)
        }
        if measurement.layers { return try LayerBenchSummary.measured(self, on: console) }
        let options = BenchmarkOptions(
            size: measurement.size,
            threadCount: threads.count,
            seconds: measurement.seconds,
            filter: measurement.filter,
            allVariants: measurement.all
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
        let peaks = measured.peaks.map { "\($0.element) \(Quantity.decimal($0.bestGigaflops, 0))" }
        var document = ReportDocument(
            title: "quantize bench",
            summary: "Every kernel beside the limits of the machine: reading memory "
                + "\(Quantity.decimal(read, 1)) GB/s; multiplying and adding, in GFLOP/s, "
                + "\(peaks.joined(separator: ", "))."
        )
        var table = TextTable(
            columns: [
                .text("operation"), .text("format"), .text("element"), .text("variant"),
                .number("ms"), .number("GB/s"), .number("GFLOP/s"), .number("of the limit"),
            ]
        )
        table.rows = measured.results.map { row in
            [
                row.operation, row.format, row.element,
                row.variant + (row.isSelected ? " (in use)" : ""),
                Quantity.significant(row.medianSeconds * 1e3, 3),
                Quantity.significant(row.gigabytesPerSecond, 3),
                row.operationCount > 0 ? Quantity.significant(row.gigaflops, 3) : "-",
                Quantity.percent(row.shareOfLimit),
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
            discussion: "With --model: tasks, such as prompt.",
            valueName: "text"
        )
    )
    var filter: String?

    @Flag(name: .long, help: "Measure layers with adapters beside bare ones.")
    var layers = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Measure a model: how fast it reads and writes, with adapters and in batches.",
            discussion: "Weights that are not quantized are held in NF4.",
            valueName: "folder"
        ),
        completion: .directory
    )
    var model: String?

    @Flag(name: .long, help: "Measure every variant and the references, not only those in use.")
    var all = false

    func validate() throws {
        if !(64...16384).contains(size) || size % 64 != 0 {
            throw ValidationError("--size takes a multiple of 64 from 64 to 16384, not \(size)")
        }
        if !(0.001...60).contains(seconds) {
            throw ValidationError("--seconds takes a number from 0.001 to 60, not \(seconds)")
        }
        if layers, model != nil {
            throw ValidationError("--layers and --model measure different things; use one of them")
        }
        guard let filter else { return }
        if model != nil {
            guard ModelBenchmark.Task.matching(filter).isEmpty else { return }
            throw ValidationError("--filter: no task's name contains '\(filter)'")
        }
        let rows = BenchmarkOptions(size: size, filter: filter, allVariants: all)
        if KernelBenchmark.names(rows).isEmpty {
            let hint = all ? "" : "; --all measures variants not in use, too"
            throw ValidationError("--filter: no row's name contains '\(filter)'\(hint)")
        }
    }
}
