internal import CheckpointIO
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Standard error, for any thread: messages, and the one line of progress below them.
final class Console: Sendable {
    /// How much is said.
    enum Verbosity: Sendable { case quiet, normal, verbose }

    /// How much is said.
    let verbosity: Verbosity
    private let terminal: Terminal
    private let showsProgress: Bool
    private let state: Mutex<State>

    private struct State {
        var meter: ProgressMeter?
        var start = ContinuousClock.now
        var lastDrawn: ContinuousClock.Instant?
        var isLineOpen = false
        var byteCount = 0
    }

    /// Makes the console of a run.
    init(
        verbosity: Verbosity = .normal,
        showsProgress: Bool = true,
        terminal: Terminal = .standardError()
    ) {
        self.verbosity = verbosity
        self.terminal = terminal
        self.showsProgress = showsProgress && verbosity != .quiet
        state = Mutex(State())
    }

    /// Says something worth knowing; not with `--quiet`.
    func note(_ message: String) {
        guard verbosity != .quiet else { return }
        say(message)
    }

    /// Says something only `--verbose` wants to know.
    func detail(_ message: String) {
        guard verbosity == .verbose else { return }
        say(message)
    }

    /// Says that something is odd; not with `--quiet`.
    func warn(_ message: String) {
        guard verbosity != .quiet else { return }
        say("\(painted("warning:", "33;1")) \(OptionNames.spoken(message))")
    }

    /// Says why the run ends: one line, and at most one hint.
    func fail(_ message: String, hint: String?) {
        say("\(painted("error:", "31;1")) \(message)")
        if let hint { say("\(painted("hint:", "36;1")) \(hint)") }
    }

    /// Whether somebody looks at a terminal.
    var isInteractive: Bool { terminal.isInteractive }

    /// Asks for a line of input; on a terminal only.
    func ask(_ question: String) {
        guard terminal.isInteractive else { return }
        state.withLock { state in
            Console.closeLine(&state)
            Console.write(painted(question, "36;1"))
        }
    }

    /// Starts a line of progress over so many bytes.
    func startProgress(totalByteCount: Int) {
        state.withLock { state in
            state.meter = ProgressMeter(totalByteCount: totalByteCount)
            state.start = .now
            state.lastDrawn = nil
            state.byteCount = 0
        }
    }

    /// Takes note of progress: on a terminal the line is redrawn up to ten times a second,
    /// elsewhere a plain line appears every few seconds.
    func progress(byteCount: Int, doing work: String) {
        guard showsProgress else { return }
        state.withLock { state in
            guard state.meter != nil else { return }
            let now = ContinuousClock.now
            let interval: Duration = terminal.isInteractive ? .milliseconds(100) : .seconds(5)
            // A run that ends before the first interval says nothing but its summary.
            guard now - (state.lastDrawn ?? state.start) >= interval else { return }
            let elapsed = (now - state.start).seconds
            state.meter?.record(byteCount: byteCount, seconds: elapsed)
            state.lastDrawn = now
            let width = terminal.isInteractive ? terminal.width - 1 : 100
            let line = state.meter?.line(doing: work, width: width) ?? ""
            if terminal.isInteractive {
                Console.write("\r\u{1B}[K\(line)")
                state.isLineOpen = true
            } else {
                Console.write("\(line)\n")
            }
        }
    }

    /// Shows what is being done where its length is not known; on a terminal only.
    func status(_ work: String) {
        guard showsProgress, terminal.isInteractive else { return }
        state.withLock { state in
            Console.write("\r\u{1B}[K\(TextTable.shortened(work, to: terminal.width - 1))")
            state.isLineOpen = true
        }
    }

    /// Removes the line of progress.
    func endProgress() {
        state.withLock { state in
            Console.closeLine(&state)
            state.meter = nil
        }
    }

    private func say(_ message: String) {
        state.withLock { state in
            Console.closeLine(&state)
            Console.write("\(message)\n")
        }
    }

    private static func closeLine(_ state: inout State) {
        guard state.isLineOpen else { return }
        write("\r\u{1B}[K")
        state.isLineOpen = false
    }

    private func painted(_ word: String, _ colour: String) -> String {
        terminal.hasColour ? "\u{1B}[\(colour)m\(word)\u{1B}[0m" : word
    }

    /// Writes to standard error; where that is closed there is nobody to tell.
    private static func write(_ text: String) {
        _ = StandardStream.error.write(text)
    }
}

extension Duration {
    /// The length in seconds.
    var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
