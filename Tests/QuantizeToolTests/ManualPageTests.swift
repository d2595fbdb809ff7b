import Foundation
import Testing

/// The manual page is made from the tool by `Scripts/make-man-page`; it must not go stale.
@Suite struct ManualPageTests {
    private static let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("docs/quantize.1")

    private func page() throws -> String {
        try String(contentsOf: ManualPageTests.page, encoding: .utf8)
            .replacingOccurrences(of: "\\-", with: "-")
            .replacingOccurrences(of: "\\(aq", with: "'")
    }

    private func commands() throws -> [[String: Any]] {
        let help = try Tool.succeed(["--experimental-dump-help"]).object()
        let root = try #require(help["command"] as? [String: Any])
        return leaves(of: root, "")
    }

    /// The commands that do something, under all of their names.
    private func leaves(of command: [String: Any], _ path: String) -> [[String: Any]] {
        (command["subcommands"] as? [[String: Any]] ?? []).flatMap { command -> [[String: Any]] in
            guard let own = command["commandName"] as? String, own != "help" else { return [] }
            let name = path.isEmpty ? own : "\(path) \(own)"
            let inner = leaves(of: command, name)
            return inner.isEmpty ? [command.merging(["commandName": name]) { $1 }] : inner
        }
    }

    @Test func namesEveryCommand() throws {
        let page = try page()
        let commands = try commands()
        #expect(commands.count == 14)
        for command in commands {
            let name = try #require(command["commandName"] as? String)
            let abstract = try #require(command["abstract"] as? String)
            #expect(page.contains(".SS quantize \(name)\n"))
            #expect(page.contains(abstract))
        }
    }

    @Test func namesEveryOptionWithItsHelp() throws {
        let page = try page()
        for command in try commands() {
            let arguments = try #require(command["arguments"] as? [[String: Any]])
            for argument in arguments {
                for name in argument["names"] as? [[String: String]] ?? [] {
                    let dashes = name["kind"] == "short" ? "-" : "--"
                    let spelling = dashes + (name["name"] ?? "")
                    #expect(page.contains("\\fB\(spelling)\\fR"), "\(spelling) is missing")
                }
                guard argument["kind"] as? String == "option",
                    let help = argument["abstract"] as? String
                else { continue }
                let words = help.replacingOccurrences(of: "…", with: "...")
                #expect(page.contains(words), "stale: run Scripts/make-man-page")
            }
        }
    }

    @Test func namesEveryExitStatus() throws {
        let page = try page()
        for status in [0, 1, 2, 64, 65, 66, 69, 70, 73, 74, 75, 130] {
            #expect(page.contains(".TP\n\(status)\n"))
        }
    }
}
