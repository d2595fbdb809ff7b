internal import ArgumentParser
internal import CheckpointIO

/// Why a run ended early, ready to be shown to people and to programs.
struct ErrorReport: Sendable {
    /// The number for the shell.
    let status: ExitStatus
    /// The line for people.
    let line: String
    /// What to do about it.
    let hint: String?
    /// The same for programs: the members of `{"error": …}`.
    let members: [(Name, JSONValue)]

    /// Reports an error of the library, with a word more on what to do.
    init(_ error: CheckpointError, advice: String) {
        var error = error
        error.hint = [advice, error.hint].compactMap { $0 }.joined(separator: "; ")
        self.init(error)
    }

    /// Reports an error of the library.
    init(_ error: CheckpointError) {
        let error = error.spoken
        status = ExitStatus(error.category)
        line = error.description
        hint = error.hint
        let fields: [(Name, JSONValue?)] = [
            ("code", .string(error.code.rawValue)),
            ("message", .string(error.message)),
            ("file", error.file.map(JSONValue.string)),
            ("tensor", error.tensor.map { .string($0.text) }),
            ("key", error.key.map(JSONValue.string)),
            ("offset", error.offset.flatMap { Int(exactly: $0) }.map(JSONValue.integer)),
            ("expected", error.expected.map(JSONValue.string)),
            ("got", error.found.map(JSONValue.string)),
            ("hint", error.hint.map(JSONValue.string)),
        ]
        members = fields.compactMap { name, value in value.map { (name, $0) } }
    }

    /// Reports a command line that does not make sense.
    init(usage message: String, hint: String?) {
        status = .usage
        line = message
        self.hint = hint
        members = ErrorReport.members(code: "usage", message: message, hint: hint)
    }

    /// Reports a limit of the user's that was broken.
    init(limit message: String) {
        status = .limitBroken
        line = message
        hint = nil
        members = ErrorReport.members(code: "limitBroken", message: message, hint: nil)
    }

    /// Reports an error that should not exist.
    init(unexpected error: any Error) {
        let hint = "this is a bug; please report it with the output of 'quantize doctor'"
        status = .internalError
        line = Name.printable("\(error)")
        self.hint = hint
        members = ErrorReport.members(code: "internal", message: "\(error)", hint: hint)
    }

    /// The object for programs.
    var json: JSONObject { JSONObject([("error", .object(JSONObject(members)))]) }

    private static func members(
        code: String,
        message: String,
        hint: String?
    ) -> [(Name, JSONValue)] {
        var members: [(Name, JSONValue)] = [("code", .string(code)), ("message", .string(message))]
        if let hint { members.append(("hint", .string(hint))) }
        return members
    }
}
extension ErrorReport: Error {}
