internal import CheckpointIO

/// What a subcommand has to tell when it is through.
struct CommandResult: Sendable {
    /// For people, on standard output; ends with a line break.
    var text: String
    /// For programs, on standard output with `--json` and in `--report FILE.json`; the same for the
    /// same work.
    var json: JSONObject
    /// What differs from run to run: members that only `--json` shows.
    var runMembers: [(Name, JSONValue)] = []
    /// For `--report`.
    var report: ReportDocument
    /// Why the status is not 0 although the work was done.
    var problem: ErrorReport?
    /// Commands to try next.
    var next: [String] = []
}

extension CommandResult {
    /// Takes note of what went wrong after the work, unless something went wrong before.
    mutating func setProblem(_ report: ErrorReport) {
        guard problem == nil else { return }
        problem = report
        json["error"] = .object(JSONObject(report.members))
    }

    /// What `--json` prints.
    var printedJSON: String {
        var object = json
        for (name, value) in runMembers { object[name] = value }
        return object.text(.indented) + "\n"
    }
}
