internal import CheckpointIO
internal import Quant

/// A command that writes a model: shows the plan, does the work, and sums up.
struct ModelRun {
    /// The command's name.
    let command: String
    /// The source as it was typed.
    let source: String
    /// The destination as it was typed.
    let destination: String
    let output: OutputOptions
    let resolved: ResolvedOptions
    /// The options that change what is written.
    let options: [ReportDocument.Fact]
    let plan: ConversionPlan
    let checkpoint: Checkpoint
    /// Other folders that are read, which the output must not be inside of.
    var otherSources: [String] = []

    /// Does the work, unless it is a dry run.
    ///
    /// - Throws: what `work` throws, and what keeps the output from being made.
    func perform(
        on console: Console,
        _ work: (RunOptions) throws(CheckpointError) -> ConversionReport
    ) throws(CheckpointError) -> CommandResult {
        for fact in options + resolved.facts { console.detail("\(fact.name): \(fact.value)") }
        try OutputFolder.check(
            destination,
            sources: [checkpoint.resolvedPath] + otherSources,
            overwrite: output.force,
            resume: output.resume
        )
        var planned = ModelSummary(command: command, modelName: checkpoint.name, plan: plan)
        planned.options = options
        for warning in planned.warnings { console.warn(warning) }
        if output.dryRun { return result(of: planned) }

        console.note("plan: \(planned.sentence)")
        StopFlag.catchSignals()
        console.startProgress(totalByteCount: plan.sourceByteCount)
        let start = ContinuousClock.now
        let report = try work(resolved.runOptions(on: console, output: output))
        let seconds = (ContinuousClock.now - start).seconds
        console.endProgress()
        var summary = ModelSummary(command: command, modelName: checkpoint.name, report: report)
        summary.options = options
        let known = Set(planned.warnings)
        for warning in summary.warnings where !known.contains(warning) { console.warn(warning) }
        return result(of: summary, report: report, seconds: seconds)
    }

    private func result(of planned: ModelSummary) -> CommandResult {
        var lines = planned.planTable.lines(width: Terminal.outputWidth)
        lines += ["", planned.sentence]
        return CommandResult(
            text: lines.joined(separator: "\n") + "\n",
            json: planned.json,
            runMembers: [("destination", .string(destination)), ("dry_run", true)],
            report: planned.report
        )
    }

    private func result(
        of summary: ModelSummary,
        report: ConversionReport,
        seconds: Double
    ) -> CommandResult {
        var lines = ["\(destination): \(summary.sentence)"]
        let byteCount = plan.sourceByteCount
        let time = ReportDocument.Fact(
            "time",
            "\(Quantity.duration(seconds)), \(Quantity.rate(byteCount, seconds: seconds))"
        )
        lines += (summary.facts + [time]).lines
        let resumed = report.files.filter(\.isResumed)
        if !resumed.isEmpty {
            let files = resumed.count == 1 ? "1 file" : "\(resumed.count) files"
            lines.append("kept from the stopped run: \(files)")
        }
        lines.append("checksums, also in \(ChecksumFile.fileName):")
        lines += report.checksums.map { "\($0.digest.hexadecimal)  \(Name.printable($0.path))" }
        return CommandResult(
            text: lines.joined(separator: "\n") + "\n",
            json: summary.json,
            runMembers: [
                ("destination", .string(destination)),
                ("dry_run", false),
                ("seconds", .number(seconds)),
                ("resumed_files", .array(resumed.map { .string($0.name) })),
            ],
            report: summary.report,
            next: nextCommands
        )
    }

    private var nextCommands: [String] {
        let place = ShellWord(destination)
        if command == "fuse" || command == "loftq" { return ["quantize inspect \(place)"] }
        guard command == "convert" else { return ["quantize verify \(place)"] }
        let again = "quantize convert \(ShellWord(source)) \(place) --force"
        let remedies = plan.remedies.map { remedy in
            switch remedy {
            case .blockSize(let size):
                "\(again) --block-size \(size)   # bitsandbytes then computes with it everywhere"
            case .skipExperts:
                "\(again) --any-architecture --skip experts   # then transformers opens it"
            case .unpack: "zstd -d --rm \(place)/*.safetensors.zst   # then transformers opens it"
            case .dequantize:
                "quantize dequantize \(place) \(ShellWord(destination + "-floats"))"
                    + "   # which transformers opens"
            }
        }
        return ["quantize verify \(place) --against \(ShellWord(source))"] + remedies
    }
}

/// A word of a command line, quoted where the shell would not take it as it is.
struct ShellWord: CustomStringConvertible {
    let description: String

    /// Quotes a word if it needs it.
    init(_ word: String) {
        let isPlain =
            !word.isEmpty
            && word.utf8.allSatisfy { byte in
                byte >= 0x80 || Character(Unicode.Scalar(byte)).isLetter
                    || Character(Unicode.Scalar(byte)).isNumber
                    || "/._-+=:,@%".utf8.contains(byte)
            }
        let quoted = word.split(separator: "'", omittingEmptySubsequences: false)
            .joined(separator: "'\\''")
        description = isPlain ? word : "'\(quoted)'"
    }
}
