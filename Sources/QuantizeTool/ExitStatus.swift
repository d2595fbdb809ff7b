internal import CheckpointIO

/// What the tool tells the shell at its end: the numbers of `sysexits.h` where it has one.
enum ExitStatus: Int32, Sendable, CaseIterable {
    /// All that was asked for was done.
    case done = 0
    /// It failed for a reason without a number of its own.
    case failed = 1
    /// It ran, but a stated limit (`--fail-above`) was broken.
    case limitBroken = 2
    /// The command line contradicts itself.
    case usage = 64
    /// The input is malformed.
    case badData = 65
    /// The input is not there.
    case missingInput = 66
    /// The input is sound, but unsupported.
    case unsupported = 69
    /// A bug of this program.
    case internalError = 70
    /// The output exists, or somebody else writes it.
    case outputExists = 73
    /// Reading or writing failed.
    case inputOutput = 74
    /// Stopped; `--resume` goes on.
    case stopped = 75
    /// Interrupted with nothing to resume.
    case interrupted = 130

    /// The status that belongs to an error of the library.
    init(_ category: CheckpointError.Category) {
        self =
            switch category {
            case .badData: .badData
            case .missingInput: .missingInput
            case .unsupported: .unsupported
            case .outputExists: .outputExists
            case .inputOutput: .inputOutput
            case .stopped: .stopped
            case .interrupted: .interrupted
            case .usage: .usage
            }
    }
}
