import Foundation
import Testing

/// The built tool, as far as it needs no model.
@Suite struct CommandLineTests {
    @Test func helpGoesToStandardOutput() throws {
        for arguments in [["--help"], ["help"], [], ["convert", "--help"], ["help", "verify"]] {
            let outcome = try Tool.succeed(arguments)
            #expect(outcome.output.contains("USAGE: quantize"))
            #expect(outcome.errors.isEmpty)
        }
    }

    @Test func versionNamesTheKernels() throws {
        let forced = try Tool.succeed(["--version"], environment: ["QUANT_KERNEL": "generic"])
        let lines = forced.output.split(separator: "\n")
        #expect(lines.first?.hasPrefix("quantize ") == true)
        #expect(lines.last?.hasPrefix("kernels: generic (this processor can run ") == true)
    }

    @Test func wrongUsageIsOneErrorAndOneHint() throws {
        let outcome = try Tool.run(["convert", "A", "B", "--bogus"])
        #expect(outcome.status == 64)
        #expect(outcome.output.isEmpty)
        let lines = outcome.errors.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first?.hasPrefix("error: Unknown option '--bogus'") == true)
        #expect(lines.last?.hasPrefix("hint: 'quantize convert --help'") == true)
    }

    @Test func wrongUsageIsAnObjectWithJSON() throws {
        for arguments in [["convert", "--json"], ["inspect", "A", "--json", "--force"]] {
            let outcome = try Tool.run(arguments)
            #expect(outcome.status == 64)
            let error = try outcome.error()
            #expect(error["code"] as? String == "usage")
            #expect((error["message"] as? String)?.isEmpty == false)
        }
    }

    @Test func impossibleKernelIsUnsupported() throws {
        let environment = ["QUANT_KERNEL": "abacus"]
        let outcome = try Tool.run(["doctor", "--json"], environment: environment)
        #expect(outcome.status == 69)
        #expect(try outcome.error()["code"] as? String == "host.kernel")
        #expect(outcome.errors.contains("abacus"))
        #expect(outcome.errors.contains("generic"))
    }

    @Test func missingModelIsOneLine() throws {
        for command in ["inspect"] {
            let outcome = try Tool.run([command, "/nonexistent/model", "--json"])
            #expect(outcome.status == 66)
            let error = try outcome.error()
            #expect(error["code"] as? String == "file.missing")
            #expect(outcome.errors.hasPrefix("error: "))
            #expect(outcome.errors.contains("[file.missing]"))
            #expect(outcome.errors.split(separator: "\n").count <= 2)
        }
    }

    @Test func messagesHaveNoColoursAwayFromTerminals() throws {
        let outcome = try Tool.run(["inspect", "/nonexistent/model"])
        #expect(!outcome.errors.contains("\u{1B}"))
    }

    @Test func doctorNamesTheMachineButNobody() throws {
        let outcome = try Tool.succeed(["doctor"])
        for name in ["version", "system", "processor", "features", "kernels", "memory", "zstd"] {
            #expect(outcome.output.contains("\(name) "))
        }
        #expect(!outcome.output.contains(ProcessInfo.processInfo.hostName))
        #expect(!outcome.output.contains(NSHomeDirectory() + "/"))
        #expect(!outcome.output.contains(FileManager.default.currentDirectoryPath))
        let object = try Tool.succeed(["doctor", "--json"]).object()
        #expect(object["kernels"] is String)
    }

    @Test func closedOutputEndsQuietly() throws {
        try withScratchFolder { scratch in
            let status = scratch.appendingPathComponent("status")
            let errors = scratch.appendingPathComponent("errors")
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            let script = "{ sleep 0.3; \"$0\" doctor 2>\"$1\"; echo $? >\"$2\"; } | true"
            process.arguments = ["-c", script, try Tool.url.path, errors.path, status.path]
            try process.run()
            process.waitUntilExit()
            #expect(try String(contentsOf: status, encoding: .utf8) == "0\n")
            #expect(try String(contentsOf: errors, encoding: .utf8).isEmpty)
        }
    }

    #if os(Linux)
    @Test func fullOutputIsAnError() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "\"$0\" doctor >/dev/full 2>/dev/null", try Tool.url.path]
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 74)
    }
    #endif

    @Test(arguments: ["bash", "zsh", "fish"])
    func completionsKnowEveryCommand(shell: String) throws {
        let script = try Tool.succeed(["--generate-completion-script", shell]).output
        for command in ["convert", "dequantize", "inspect", "verify", "bench", "doctor"] {
            #expect(script.contains(command))
        }
        #expect(script.contains("max-shard-size"))
    }
}
