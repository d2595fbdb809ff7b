internal import ArgumentParser
internal import CheckpointIO
internal import SIMDKernels

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// A subcommand: parsed arguments that can be carried out.
protocol ToolCommand: ParsableCommand {
    /// The options every subcommand has.
    var shared: SharedOptions { get }
    /// Whether progress may be drawn.
    var showsProgress: Bool { get }

    /// Does the work.
    /// - Returns: what to print, and how it went.
    func perform(on console: Console) throws -> CommandResult
}

extension ToolCommand {
    var showsProgress: Bool { true }
}

/// One run of the tool, from the command line to the exit status.
enum ToolRun {
    /// Runs the tool and ends the process.
    static func runAndExit(arguments: [String]) -> Never {
        prepareSignals()
        exit(status(of: arguments).rawValue)
    }

    /// Makes signals behave the same whoever started the process.
    private static func prepareSignals() {
        // A reader that goes away is told by the call that writes.
        signal(SIGPIPE, SIG_IGN)
        // A parent may have blocked these in the thread that started us.
        var stopping = sigset_t()
        unsafe sigemptyset(&stopping)
        unsafe sigaddset(&stopping, SIGINT)
        unsafe sigaddset(&stopping, SIGTERM)
        unsafe pthread_sigmask(SIG_UNBLOCK, &stopping, nil)
    }

    private static var commands: [String] {
        Quantize.configuration.subcommands.compactMap { $0.configuration.commandName }
    }

    private static func status(of arguments: [String]) -> ExitStatus {
        do {
            try Environment.check()
            if let message = UsageAdvice.unknownCommand(in: arguments, among: commands + ["help"]) {
                throw ErrorReport(usage: message, hint: "'quantize --help' lists the commands")
            }
            var parsed = try Quantize.parseAsRoot(OptionalValues.joined(arguments))
            if let command = parsed as? any ToolCommand { return status(of: command) }
            // Help is a command of ArgumentParser's own; running it throws its text.
            try parsed.run()
            return .done
        } catch {
            return end(error, arguments: arguments)
        }
    }

    private static func status(of command: any ToolCommand) -> ExitStatus {
        let shared = command.shared
        let verbosity: Console.Verbosity =
            shared.quiet ? .quiet : shared.verbose ? .verbose : .normal
        let console = Console(verbosity: verbosity, showsProgress: command.showsProgress)
        console.detail("quantize \(Version.number), kernels \(KernelSelection.name)")
        do {
            let reportFile = try shared.report.map(ReportFile.init(at:))
            var result = try command.perform(on: console)
            console.endProgress()
            do {
                try reportFile?.write(result)
            } catch {
                // The work is done all the same, and its result is worth showing.
                result.setProblem(ErrorReport(error, advice: "all but the report is done"))
            }
            try StandardStream.put(shared.json ? result.printedJSON : result.text)
            if let problem = result.problem { return tell(problem, console: console) }
            for next in result.next { console.note("next: \(next)") }
            return .done
        } catch {
            console.endProgress()
            let report =
                (error as? CheckpointError).map { ErrorReport($0) }
                ?? (error as? ErrorReport)
                ?? ErrorReport(unexpected: error)
            if shared.json {
                _ = StandardStream.output.write(report.json.text(.indented) + "\n")
            }
            return tell(report, console: console)
        }
    }

    private static func tell(_ report: ErrorReport, console: Console) -> ExitStatus {
        console.fail(report.line, hint: report.hint)
        return report.status
    }

    /// Ends a run that never got to its command: help, version, completions, wrong usage.
    private static func end(_ error: any Error, arguments: [String]) -> ExitStatus {
        let report: ErrorReport
        if let error = error as? CheckpointError {
            report = ErrorReport(error)
        } else if let error = error as? ErrorReport {
            report = error
        } else if Quantize.exitCode(for: error) == .success {
            let number = StandardStream.output.write(Quantize.fullMessage(for: error) + "\n")
            return number == 0 || number == EPIPE ? .done : .inputOutput
        } else {
            let subcommand = commands.first { arguments.first == $0 }
            let command = subcommand.map { "quantize \($0)" } ?? "quantize"
            report = ErrorReport(
                usage: Quantize.message(for: error).split(separator: "\n").joined(separator: " "),
                hint: UsageAdvice.hint(for: command, arguments)
            )
        }
        if arguments.contains("--json") {
            _ = StandardStream.output.write(report.json.text(.indented) + "\n")
        }
        return tell(report, console: Console())
    }
}
