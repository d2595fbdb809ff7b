internal import ArgumentParser

/// The options of the subcommands that go through all bytes of a model.
struct WorkOptions: ParsableArguments {
    @OptionGroup var threads: ThreadOptions
    @OptionGroup var memory: MemoryOptions
    @OptionGroup var progress: ProgressOptions
}

/// How many threads work.
struct ThreadOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Threads to work with; the result is the same with any number.",
            discussion: "Default: one for each processor this process may use.",
            valueName: "n"
        )
    )
    var threads: Int?

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads takes a number from 1 to 1024, not \(threads)")
        }
    }
}

/// How much memory large buffers may take.
struct MemoryOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Memory for large buffers, such as 500MB or 2GiB.",
            discussion: "Default: half of the machine's, at most what its limits allow.",
            valueName: "size"
        ),
        transform: ByteSize.parsed
    )
    var memoryLimit: ByteSize?
}

/// Whether progress is drawn.
struct ProgressOptions: ParsableArguments {
    @Flag(name: .long, help: "Draw no progress.")
    var noProgress = false
}
