internal import ArgumentParser
internal import CheckpointIO
internal import QLoRA
internal import Quant

/// `quantize adapter combine ADAPTER=WEIGHT… DST`: several adapters as one.
struct AdapterCombine: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "combine",
        abstract: "Combine adapters into one.",
        usage: "quantize adapter combine <adapter[=weight]> ... <dst> [options]",
        discussion: """
            The result is a plain adapter with a scaling of 1 that PEFT opens. cat is the exact weighted \
            sum, with the ranks of all added up; svd is the nearest one of a smaller rank; linear, ties, \
            dare_… and magnitude_prune work on the factors, and with _svd on the changes of the weights.

              quantize adapter combine A=0.7 B=0.3 SUM
              quantize adapter combine A B SUM --type ties_svd --density 0.3 --rank 16
            """
    )

    @Argument(
        help: ArgumentHelp(
            "One or more adapters, each perhaps with =WEIGHT, and the folder to make.",
            valueName: "adapters dst"
        ),
        completion: .directory
    )
    var paths: [String]

    @OptionGroup(title: "How to combine")
    var combining: CombiningOptions

    @OptionGroup
    var output: ReplacementOptions

    @OptionGroup(title: "Shared options")
    var threads: ThreadOptions

    @OptionGroup(title: "Shared options")
    var shared: SharedOptions

    func validate() throws {
        guard paths.count >= 2 else {
            throw ValidationError("combine takes at least one adapter, and the folder to make")
        }
        for text in paths.dropLast() { _ = try AdapterArgument(text) }
    }

    func perform(on console: Console) throws -> CommandResult {
        let destination = paths[paths.count - 1]
        let parts = try paths.dropLast().map(AdapterArgument.init).map { argument in
            AdapterCombination.Part(try AdapterFolder(at: argument.path), weight: argument.weight)
        }
        let combination = try AdapterCombination(parts, combining.options)
        for warning in combination.warnings { console.warn(warning.description) }
        let sources = parts.map(\.adapter.resolvedPath)
        try OutputFolder.check(destination, sources: sources, overwrite: output.force)
        var run = RunOptions()
        run.threadCount = threads.threads
        run.overwrites = output.force
        run.toolVersion = Version.text
        try combination.combined(options: run)
            .write(to: destination, sources: sources, options: run)
        return result(combination, parts, destination)
    }

    private func result(
        _ combination: AdapterCombination,
        _ parts: [AdapterCombination.Part],
        _ destination: String
    ) -> CommandResult {
        let terms = parts.map { "\(Quantity.significant($0.weight, 3)) · \($0.adapter.name)" }
        let facts: [ReportDocument.Fact] = [
            .init("adapters", terms.joined(separator: ", ")),
            .init("type", combining.type.rawValue),
            .init("rank", "\(combination.rank)"),
            .init("modules", "\(combination.modules.count)"),
        ]
        let sentence = "\(destination): \(parts.count) adapters as one of rank \(combination.rank)."
        var report = ReportDocument(title: "Combined adapters", summary: sentence)
        report.append("What was done", [.facts(facts)])
        return CommandResult(
            text: ([sentence] + facts.lines).joined(separator: "\n") + "\n",
            json: [
                "command": "adapter combine",
                "type": .string(combining.type.rawValue),
                "rank": .integer(combination.rank),
                "adapters": .array(
                    parts.map {
                        .object([
                            "name": .string($0.adapter.name), "weight": .double($0.weight),
                        ])
                    }
                ),
                "modules": .array(combination.modules.map { .string($0) }),
            ],
            runMembers: [("destination", .string(destination))],
            report: report,
            next: ["quantize adapter inspect \(ShellWord(destination))"]
        )
    }
}

/// How adapters are combined.
struct CombiningOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The way to combine: cat, linear, svd, ties, dare_linear, dare_ties, magnitude_prune, or one of "
                + "the last four with _svd.",
            valueName: "type"
        ),
        transform: CombiningOptions.named
    )
    var type = CombinationOptions.Kind.cat

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The share of elements that pruning and dropping keep, from 0 to 1.",
            valueName: "share"
        )
    )
    var density: Double?

    @Option(
        name: .long,
        help: ArgumentHelp("How a sign is elected: total or frequency.", valueName: "method"),
        transform: CombiningOptions.named
    )
    var majoritySign = CombinationOptions.MajoritySign.total

    @Option(
        name: .long,
        help: ArgumentHelp("The rank of an svd; default: the largest of all.", valueName: "r")
    )
    var rank: Int?

    @Option(
        name: .long,
        help: ArgumentHelp("Clamp factors of an svd at this quantile.", valueName: "q")
    )
    var clamp: Double?

    @Option(
        name: .long,
        help: ArgumentHelp("Decides what dare drops.", valueName: "n")
    )
    var seed: UInt64 = 0

    /// The same for the library.
    var options: CombinationOptions {
        var options = CombinationOptions(type, density: density)
        options.majoritySign = majoritySign
        options.rank = rank
        options.clamp = clamp
        options.seed = seed
        return options
    }

    func validate() throws {
        if rank != nil || clamp != nil, !type.rawValue.hasSuffix("svd") {
            throw ValidationError(
                "--rank and --clamp go with an svd type, not with \(type.rawValue)"
            )
        }
        let keepsShare = ["ties", "dare", "magnitude"].contains { type.rawValue.hasPrefix($0) }
        if keepsShare != (density != nil) {
            throw ValidationError(
                keepsShare
                    ? "\(type.rawValue) needs --density"
                    : "--density has no place in \(type.rawValue)"
            )
        }
    }
}

extension CombiningOptions {
    /// A value of an enumeration by its name.
    fileprivate static func named<Value: RawRepresentable & CaseIterable>(
        _ name: String
    ) throws -> Value where Value.RawValue == String {
        if let value = Value(rawValue: name) { return value }
        let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("'\(name)' is none of \(names)")
    }
}
