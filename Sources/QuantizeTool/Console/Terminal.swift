#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// What one of the standard streams leads to.
struct Terminal: Sendable, Equatable {
    /// Whether a person is watching: lines may be redrawn.
    var isInteractive: Bool
    /// Whether colours are welcome: a terminal that is not `dumb`, and no `NO_COLOR`.
    var hasColour: Bool
    /// Characters in a line.
    var width: Int

    /// A pipe or a file.
    static let none = Terminal(isInteractive: false, hasColour: false, width: 100)

    /// Standard error as it is now.
    static func standardError() -> Terminal {
        guard isatty(STDERR_FILENO) == 1 else { return .none }
        let type = variable("TERM") ?? ""
        let mayColour = type != "dumb" && !type.isEmpty && (variable("NO_COLOR") ?? "").isEmpty
        var size = winsize()
        let isKnown = unsafe ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0
        return Terminal(
            isInteractive: type != "dumb",
            hasColour: mayColour,
            width: isKnown && size.ws_col >= 20 ? Int(size.ws_col) : 80
        )
    }

    /// Characters in a line of standard output; without limit if it is no terminal, so that
    /// programs see whole names.
    static var outputWidth: Int {
        guard isatty(STDOUT_FILENO) == 1 else { return .max }
        var size = winsize()
        let isKnown = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0
        return isKnown && size.ws_col >= 20 ? Int(size.ws_col) : 80
    }

    private static func variable(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}
