internal import ArgumentParser
internal import CheckpointIO

/// `quantize bench`: what this machine's kernels do, beside what its memory can.
struct Bench: ToolCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure this machine's kernels.",
        discussion: """
            Measures how fast memory can be read, then every family of kernels in every variant \
            that this processor can run, in GB/s of floats read or written.
            """
    )

    @Option(
        name: .long,
        help: ArgumentHelp("Rows of the matrix, and columns.", valueName: "n")
    )
    var size = 4096

    @Option(
        name: .long,
        help: ArgumentHelp("Seconds for each measurement; the best run counts.", valueName: "s")
    )
    var seconds = 0.25

    @OptionGroup(title: "Shared options")
    var shared: SharedOptions

    func validate() throws {
        if !(64...16384).contains(size) {
            throw ValidationError("--size takes a number from 64 to 16384, not \(size)")
        }
        if !(0.001...60).contains(seconds) {
            throw ValidationError("--seconds takes a number from 0.001 to 60, not \(seconds)")
        }
    }

    func perform(on console: Console) throws -> CommandResult {
        CommandResult(text: "", json: JSONObject(), report: ReportDocument(title: "", summary: ""))
    }
}
