internal import ArgumentParser

/// The options of every subcommand.
struct SharedOptions: ParsableArguments {
    @Flag(name: .long, help: "Write exactly one JSON object to standard output.")
    var json = false

    @Flag(name: .shortAndLong, help: "Say nothing on standard error but errors.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "Say more on standard error.")
    var verbose = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Also write the result to a file: .html, .md or .json.",
            valueName: "file"
        ),
        completion: .file(extensions: ["html", "md", "json"])
    )
    var report: String?

    func validate() throws {
        if quiet && verbose { throw ValidationError("--quiet and --verbose exclude each other") }
        if let report, ReportFormat(fileName: report) == nil {
            throw ValidationError("--report writes .html, .md or .json, not '\(report)'")
        }
    }
}

/// The option of the subcommands whose result appears whole or not at all.
struct ReplacementOptions: ParsableArguments {
    @Flag(
        name: .long,
        help: "Replace an earlier result; what was changed since is never replaced."
    )
    var force = false
}

/// The options of the subcommands that write a checkpoint.
struct OutputOptions: ParsableArguments {
    @Flag(name: .long, help: "Check everything and show the plan, but write nothing.")
    var dryRun = false

    @Flag(
        name: .long,
        help: ArgumentHelp(
            "Replace an earlier result, or start anew where a run was stopped.",
            discussion: """
                What an earlier run did not write, or was changed since, is never replaced.
                """
        )
    )
    var force = false

    @Flag(
        name: .long,
        help: ArgumentHelp(
            "Go on with a run that was stopped.",
            discussion: "Inputs and options must be the same; so will be the bytes written."
        )
    )
    var resume = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Start another file where the tensors of one would exceed this, such as 5GB.",
            valueName: "size"
        ),
        transform: ByteSize.parsed
    )
    var maxShardSize: ByteSize?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Write .safetensors.zst, at a level from 1 to 19.",
            discussion: "`--zstd=LEVEL`, or `--zstd` alone for level 3.",
            valueName: "level"
        )
    )
    var zstd: Int?

    @Flag(
        name: .long,
        help: "Read shards through symbolic links that leave the model's folder."
    )
    var followLinks = false

    func validate() throws {
        if let zstd, !(1...19).contains(zstd) {
            throw ValidationError("--zstd takes a level from 1 to 19, not \(zstd)")
        }
        if dryRun && resume {
            throw ValidationError("--dry-run writes nothing, so there is nothing to --resume")
        }
    }
}

/// The options of the subcommands that only read a checkpoint.
struct InputOptions: ParsableArguments {
    @Flag(
        name: .long,
        help: "Read shards through symbolic links that leave the model's folder."
    )
    var followLinks = false
}
