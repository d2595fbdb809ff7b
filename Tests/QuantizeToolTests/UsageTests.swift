@testable import QuantizeTool
import Testing

/// What a new user is told by help and by wrong command lines.
@Suite struct UsageTests {
    private static let commands = ["convert", "dequantize", "inspect", "verify", "bench", "doctor"]

    @Test(arguments: [
        ("convrt", "Did you mean 'convert'?"), ("dequantise", "Did you mean 'dequantize'?"),
        ("Verify", "Did you mean 'verify'?"),
    ])
    func misspeltCommandIsCorrected(word: String, advice: String) throws {
        let outcome = try Tool.run([word, "A", "B", "--type", "nf4"])
        #expect(outcome.status == 64)
        #expect(outcome.errors.hasPrefix("error: Unknown command '\(word)'. \(advice)\n"))
        #expect(outcome.errors.split(separator: "\n").count == 2)
    }

    @Test func nothingIsSuggestedForAStrangeWord() throws {
        let outcome = try Tool.run(["x", "--json"])
        #expect(outcome.status == 64)
        #expect(outcome.errors.hasPrefix("error: Unknown command 'x'\n"))
        #expect(try outcome.error()["code"] as? String == "usage")
    }

    @Test(arguments: [
        (["--zstd", "5"], "--zstd=5"), (["--overwrite"], "--force"),
        (["--max-shard-size", "big"], "500MB"), (["--memory-limit", "2gb"], "500MB"),
        (["--tensor-type", "q_proj=int5"], "nf4, fp4, int8, int8-blockwise, none"),
        (["--tensor-type", "q_proj"], "REGEX=FORMAT"),
        (["--tensor-type", "(=nf4"], "regular expression"),
    ])
    func wrongOptionsSayWhatWouldBeRight(options: [String], advice: String) throws {
        let outcome = try Tool.run(["convert", "A", "B"] + options)
        #expect(outcome.status == 64)
        #expect(outcome.errors.contains(advice), "\(outcome.errors)")
        #expect(outcome.errors.split(separator: "\n").count == 2)
    }

    @Test(arguments: commands)
    func helpShowsTheCommandsOwnOptionsFirst(command: String) throws {
        let help = try Tool.succeed([command, "--help"]).output
        let shared = try #require(help.range(of: "SHARED OPTIONS:"))
        let rest = help[shared.upperBound...]
        let last = try #require(rest.range(of: "\nOPTIONS:"))
        let options = rest[last.upperBound...].split(separator: "\n")
            .filter { $0.hasPrefix("  -") }
        #expect(options.count == 2, "only --version and --help belong to nobody: \(options)")
    }

    @Test(arguments: commands)
    func helpFitsAnOrdinaryTerminal(command: String) throws {
        let help = try Tool.run([command, "--help"], environment: ["COLUMNS": "80"]).output
        let long = help.split(separator: "\n").filter { $0.count > 80 }
        #expect(long.isEmpty, "\(long)")
    }

    @Test func factsStandBelowOneAnother() {
        let facts: [ReportDocument.Fact] = [.init("ratio", "2.41"), .init("files written", "1 kB")]
        #expect(facts.lines == ["ratio          2.41", "files written  1 kB"])
    }
}
