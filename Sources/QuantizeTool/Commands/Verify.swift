internal import ArgumentParser
internal import CheckpointIO
internal import Quant

/// `quantize verify PATH`: whether a checkpoint is sound, and how far it is from its source.
struct Verify: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check a model, and measure it against its source.",
        usage: "quantize verify [<options>] <path>",
        discussion: """
            Reads everything: structure, checksums, shapes, scales, and every value for NaN and \
            infinity. With --against the error of each tensor is measured.
            """
    )

    @Argument(
        help: "The model: a folder, a .safetensors, .safetensors.zst or .gguf file, or org/name.",
        completion: .file()
    )
    var path: String

    @OptionGroup(title: "What to check")
    var checks: CheckOptions

    @OptionGroup(title: "Shared options")
    var work: WorkOptions

    @OptionGroup(title: "Shared options")
    var shared: SharedOptions

    var showsProgress: Bool { !work.progress.noProgress }

    func perform(on console: Console) throws -> CommandResult {
        let start = ContinuousClock.now
        let options = ResolvedOptions(work)
        let checkpoint = try SourceModel.open(
            path,
            .knownOrAny,
            followsLinks: checks.followLinks,
            budget: options.budget,
            on: console
        )
        var source: Checkpoint?
        if let against = checks.against {
            source = try SourceModel.open(
                against,
                // What was converted without a check against its architecture has such a source.
                checkpoint.model == nil ? .any : .knownOrAny,
                followsLinks: checks.followLinks,
                budget: options.budget,
                on: console
            )
        }
        let verifier = CheckpointVerifier(
            checkpoint,
            against: source,
            relativeRMSELimit: checks.failAbove
        )
        for fact in options.facts { console.detail("\(fact.name): \(fact.value)") }
        StopFlag.catchSignals()
        console.startProgress(totalByteCount: verifier.workByteCount)
        let found = try Verify.run(verifier, options: options.runOptions(on: console))
        for warning in found.warnings { console.warn(warning.description) }
        var summary = ModelSummary(
            modelName: checkpoint.name,
            report: found,
            isCompared: source != nil
        )
        if let failAbove = checks.failAbove {
            summary.options = [.init("fail above", "\(failAbove)")]
        }
        let seconds = (ContinuousClock.now - start).seconds
        return result(found, summary, byteCount: verifier.byteCount, seconds: seconds)
    }

    /// Runs it; whoever stops it has nothing to resume.
    private static func run(
        _ verifier: CheckpointVerifier,
        options: RunOptions
    ) throws(CheckpointError) -> CheckpointVerifier.Report {
        do {
            return try verifier.run(options: options)
        } catch {
            guard error.code == .outputStopped else { throw error }
            throw CheckpointError(.outputInterrupted, "interrupted; there is nothing to resume")
        }
    }

    private func result(
        _ found: CheckpointVerifier.Report,
        _ summary: ModelSummary,
        byteCount: Int,
        seconds: Double
    ) -> CommandResult {
        var lines: [String] = []
        if checks.against != nil {
            lines += summary.errorTable.lines(width: Terminal.outputWidth) + [""]
        }
        lines.append(summary.sentence)
        for finding in found.findings {
            lines.append("  \(finding)")
            if let hint = finding.spoken.hint { lines.append("    hint: \(hint)") }
        }
        let time = ReportDocument.Fact(
            "time",
            "\(Quantity.duration(seconds)), \(Quantity.rate(byteCount, seconds: seconds))"
        )
        let checksums = ReportDocument.Fact(
            "checksums",
            found.checkedFileCount.map { "\($0) files compared with \(ChecksumFile.fileName)" }
                ?? "no \(ChecksumFile.fileName) in the folder"
        )
        lines += (summary.facts + [checksums, time]).lines
        var json = summary.json
        json["checked_files"] = found.checkedFileCount.map(JSONValue.integer) ?? .null
        json["findings"] = .array(
            found.findings.map { .object(JSONObject(ErrorReport($0).members)) }
        )
        json["above_limit"] = .array(found.tensorsAboveLimit.map { .string($0.text) })
        var problem: ErrorReport?
        if let first = found.findings.first {
            let report = ErrorReport(first)
            json["error"] = .object(JSONObject(report.members))
            problem = report
        } else if let first = found.tensorsAboveLimit.first, let failAbove = checks.failAbove {
            let count = found.tensorsAboveLimit.count
            problem = ErrorReport(
                limit: "\(count == 1 ? "1 tensor is" : "\(count) tensors are") further from the "
                    + "source than \(failAbove); the first is \"\(first)\""
            )
        }
        return CommandResult(
            text: lines.joined(separator: "\n") + "\n",
            json: json,
            runMembers: [("seconds", .number(seconds))],
            report: summary.report,
            problem: problem
        )
    }
}

/// What is compared, and with which limit.
struct CheckOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("The model it was made from.", valueName: "source"),
        completion: .file()
    )
    var against: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "End with status 2 if a tensor's relative RMSE is above this, such as 0.1.",
            valueName: "x"
        )
    )
    var failAbove: Double?

    @Flag(
        name: .long,
        help: "Read shards through symbolic links that leave the model's folder."
    )
    var followLinks = false

    func validate() throws {
        guard let failAbove else { return }
        if against == nil { throw ValidationError("--fail-above needs --against SOURCE") }
        if !failAbove.isFinite || failAbove < 0 {
            throw ValidationError("--fail-above takes a number from 0 on, not \(failAbove)")
        }
    }
}
