import Foundation
import Testing

/// Every file of the corpus of malformed checkpoints gets the error that its manifest demands.
///
/// The corpus and the judgement are those of `Tests/MalformedCorpus/make_malformed.py`, which needs
/// Python but no packages; `Scripts/check-malformed` does the same with the release build.
@Suite struct MalformedCorpusTests {
    static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Scripts/check-malformed")

    static var hasPython: Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "--version"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    @Test(.enabled(if: hasPython, "python3 is not here"), arguments: ["0", "7"])
    func everyDefectIsReported(seed: String) throws {
        try withScratchFolder { scratch in
            let log = scratch.appendingPathComponent("log")
            _ = FileManager.default.createFile(atPath: log.path, contents: nil)
            let process = Process()
            process.executableURL = MalformedCorpusTests.script
            process.arguments = [try Tool.url.path, "--", "--seed", seed]
            process.standardOutput = try FileHandle(forWritingTo: log)
            process.standardError = process.standardOutput
            var variables = ProcessInfo.processInfo.environment
            variables["QUANT_KERNEL"] = nil
            process.environment = variables
            try process.run()
            process.waitUntilExit()
            let text = String(decoding: try Data(contentsOf: log), as: UTF8.self)
            let failures = text.split(separator: "\n").filter { $0.hasPrefix("FAIL") }
            #expect(process.terminationStatus == 0, "\(failures.joined(separator: "\n"))")
            #expect(text.contains(" passed, 0 failed"))
        }
    }
}
