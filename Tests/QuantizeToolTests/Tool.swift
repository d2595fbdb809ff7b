import Foundation
import TestSupport
import Testing

/// The built tool, run as a user runs it.
struct Tool {
    /// What a run left behind.
    struct Outcome {
        let status: Int32
        let output: String
        let errors: String

        /// Standard output as the one JSON object it has to be.
        func object(
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws -> [String: Any] {
            let value = try JSONSerialization.jsonObject(with: Data(output.utf8))
            return try #require(value as? [String: Any], sourceLocation: sourceLocation)
        }

        /// The members of `{"error": …}`.
        func error(sourceLocation: SourceLocation = #_sourceLocation) throws -> [String: Any] {
            let members = try object(sourceLocation: sourceLocation)["error"]
            return try #require(members as? [String: Any], sourceLocation: sourceLocation)
        }
    }

    /// The executable: SwiftPM builds it beside the resources of the tests.
    static var url: URL {
        get throws {
            let products = try Golden.url("tiny.gguf").deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent()
            for folder in [products, products.deletingLastPathComponent()] {
                let tool = folder.appendingPathComponent("quantize")
                if FileManager.default.isExecutableFile(atPath: tool.path) { return tool }
            }
            throw CocoaError(.fileNoSuchFile)
        }
    }

    /// Runs the tool to its end, with further environment variables, with a limit on the files it
    /// writes (in blocks of 512 bytes), and with something to do while it runs.
    static func run(
        _ arguments: [String],
        environment: [String: String] = [:],
        fileBlockLimit: Int? = nil,
        input: String? = nil,
        afterStart: (Int32) -> Void = { _ in }
    ) throws -> Outcome {
        try withScratchFolder { scratch in
            let process = Process()
            let tool = try url.path
            if let fileBlockLimit {
                process.executableURL = URL(fileURLWithPath: "/bin/sh")
                process.arguments =
                    ["-c", "ulimit -f \(fileBlockLimit); exec \"$@\"", "sh", tool] + arguments
            } else {
                process.executableURL = URL(fileURLWithPath: tool)
                process.arguments = arguments
            }
            var variables = ProcessInfo.processInfo.environment
            variables["SWIFT_BACKTRACE"] = "enable=no"
            variables["QUANT_KERNEL"] = nil
            variables.merge(environment) { _, new in new }
            process.environment = variables
            // Files, not pipes: a full pipe would stop the tool.
            let output = scratch.appendingPathComponent("output")
            let errors = scratch.appendingPathComponent("errors")
            for file in [output, errors] {
                _ = FileManager.default.createFile(atPath: file.path, contents: nil)
            }
            process.standardOutput = try FileHandle(forWritingTo: output)
            process.standardError = try FileHandle(forWritingTo: errors)
            process.standardInput = FileHandle.nullDevice
            if let input {
                let file = scratch.appendingPathComponent("input")
                try Data(input.utf8).write(to: file)
                process.standardInput = try FileHandle(forReadingFrom: file)
            }
            try process.run()
            afterStart(process.processIdentifier)
            process.waitUntilExit()
            let isSignal = process.terminationReason == .uncaughtSignal
            return Outcome(
                status: isSignal ? 128 + process.terminationStatus : process.terminationStatus,
                output: String(decoding: try Data(contentsOf: output), as: UTF8.self),
                errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self)
            )
        }
    }

    /// Runs the tool and requires that it succeeds.
    @discardableResult
    static func succeed(
        _ arguments: [String],
        environment: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Outcome {
        let outcome = try run(arguments, environment: environment)
        try #require(
            outcome.status == 0,
            "\(arguments) ended with \(outcome.status): \(outcome.errors)",
            sourceLocation: sourceLocation
        )
        return outcome
    }
}

/// Calls `body` with an empty folder that is removed afterwards.
func withScratchFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("quantize-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
}

/// The checkpoint that ships with the package.
var tinyModel: URL {
    Repository.model
}

/// The contents of a folder by relative path, without the order of the file system.
func contents(of folder: URL) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: folder.path) {
        let file = folder.appendingPathComponent(name)
        var isFolder: ObjCBool = false
        _ = FileManager.default.fileExists(atPath: file.path, isDirectory: &isFolder)
        if !isFolder.boolValue { files[name] = try Data(contentsOf: file) }
    }
    return files
}
