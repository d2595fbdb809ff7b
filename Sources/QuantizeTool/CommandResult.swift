internal import CheckpointIO

/// What a subcommand has to tell when it is through.
struct CommandResult: Sendable {
    /// For people, on standard output; ends with a line break.
    var text: String
    /// For programs, on standard output with `--json`.
    var json: JSONObject
    /// For `--report`.
    var report: ReportDocument
    /// Why the status is not 0 although the work was done.
    var problem: ErrorReport?
    /// A command to try next.
    var next: String?
}
