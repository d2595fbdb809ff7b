import Foundation
import TestSupport
import Testing

/// What the tool leaves on disk, and when.
@Suite struct OutputTests {
    private let source = tinyModel.path

    @Test func dryRunLeavesNothing() throws {
        try withScratchFolder { scratch in
            let output = scratch.appendingPathComponent("out").path
            let outcome = try Tool.succeed(["convert", source, output, "--dry-run", "--json"])
            #expect(try outcome.object()["dry_run"] as? Bool == true)
            #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path).isEmpty)
        }
    }

    @Test func existingOutputIsKept() throws {
        try withScratchFolder { scratch in
            let output = scratch.appendingPathComponent("out")
            try FileManager.default.createDirectory(at: output, withIntermediateDirectories: true)
            let mine = output.appendingPathComponent("mine.txt")
            try Data("mine".utf8).write(to: mine)
            let refused = try Tool.run(["convert", source, output.path, "--json"])
            #expect(refused.status == 73)
            #expect(try refused.error()["code"] as? String == "output.exists")
            #expect(try Data(contentsOf: mine) == Data("mine".utf8))

            // Not even when forced: nobody would get it back.
            let forced = try Tool.run(["convert", source, output.path, "--force", "--json"])
            #expect(forced.status == 73)
            #expect(forced.errors.contains("\"mine.txt\""))
            #expect(try Data(contentsOf: mine) == Data("mine".utf8))

            try FileManager.default.removeItem(at: mine)
            for _ in 0..<2 { try Tool.succeed(["convert", source, output.path, "--force"]) }
            #expect(try contents(of: output)["model.safetensors"] != nil)
            let names = try FileManager.default.contentsOfDirectory(atPath: scratch.path)
            #expect(names == ["out"])
        }
    }

    /// Every command that writes, every way to name what is there already.
    @Test(arguments: ["convert", "dequantize"])
    func nothingOfTheUsersIsReplaced(command: String) throws {
        try withScratchFolder { scratch in
            let quantized = scratch.appendingPathComponent("quantized").path
            try Tool.succeed(["convert", source, quantized])
            let model = command == "convert" ? source : quantized
            let output = scratch.appendingPathComponent("out")
            func refuse(_ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
                let before = try contents(of: scratch)
                for flags in [["--force"], ["--force", "--resume"], ["--resume"], []] {
                    let outcome = try Tool.run([command, model, output.path] + flags)
                    #expect(outcome.status == 73, "\(name)", sourceLocation: sourceLocation)
                }
                #expect(
                    try contents(of: scratch) == before,
                    "\(name)",
                    sourceLocation: sourceLocation
                )
                try FileManager.default.removeItem(at: output)
            }
            try Data("mine".utf8).write(to: output)
            try refuse("a file")
            for name in ["pytorch_model.bin", "model.safetensors", "SHA256SUMS"] {
                try FileManager.default.createDirectory(
                    at: output,
                    withIntermediateDirectories: true
                )
                try Data("mine".utf8).write(to: output.appendingPathComponent(name))
                try refuse(name)
            }
            for name in ["notes.txt", "config.json", "sub/train.jsonl"] {
                try Tool.succeed([command, model, output.path])
                let file = output.appendingPathComponent(name)
                let folder = file.deletingLastPathComponent()
                try FileManager.default.createDirectory(
                    at: folder,
                    withIntermediateDirectories: true
                )
                try Data("mine".utf8).write(to: file)
                try refuse(name)
            }
            let partial = scratch.appendingPathComponent("out.partial")
            try FileManager.default.createDirectory(at: partial, withIntermediateDirectories: true)
            try Data("mine".utf8).write(to: partial.appendingPathComponent("notes.txt"))
            for flags in [["--force"], ["--resume"], []] {
                #expect(try Tool.run([command, model, output.path] + flags).status == 73)
            }
            #expect(try contents(of: partial) == ["notes.txt": Data("mine".utf8)])
        }
    }

    @Test(arguments: ["html", "md", "json"])
    func onlyReportsAreReplacedByReports(format: String) throws {
        try withScratchFolder { scratch in
            let report = scratch.appendingPathComponent("report.\(format)")
            let mine = Data("{\"mine\": 1}".utf8)
            try mine.write(to: report)
            let outcome = try Tool.run(["inspect", source, "--report", report.path])
            #expect(outcome.status == 73)
            #expect(try Data(contentsOf: report) == mine)
            try FileManager.default.removeItem(at: report)
            for _ in 0..<2 { try Tool.succeed(["inspect", source, "--report", report.path]) }
        }
    }

    @Test func damageIsFound() throws {
        try withScratchFolder { scratch in
            let output = scratch.appendingPathComponent("out")
            let run = try Tool.succeed(["convert", source, output.path, "--zstd", "--double-quant"])
            let sums = try String(
                contentsOf: output.appendingPathComponent("SHA256SUMS"),
                encoding: .utf8
            )
            for line in sums.split(separator: "\n").dropFirst() {
                #expect(run.output.contains("\(line)\n"))
            }
            let sound = try Tool.succeed(["verify", output.path, "--json"]).object()
            #expect(sound["checked_files"] as? Int == sums.split(separator: "\n").count - 1)
            // Values, a scale, a configuration: everything but the list itself.
            for name in try contents(of: output).keys where name != "SHA256SUMS" {
                let file = output.appendingPathComponent(name)
                let bytes = try Data(contentsOf: file)
                var damaged = bytes
                damaged[bytes.count - 2] ^= 1
                try damaged.write(to: file)
                let outcome = try Tool.run(["verify", output.path])
                #expect(outcome.status == 65, "\(name)")
                try bytes.write(to: file)
            }
        }
    }

    @Test func outputInsideTheInputIsRefused() throws {
        try withScratchFolder { scratch in
            let model = scratch.appendingPathComponent("model")
            try FileManager.default.copyItem(at: tinyModel, to: model)
            for output in [model.path, model.appendingPathComponent("out").path] {
                let outcome = try Tool.run(["convert", model.path, output, "--force", "--json"])
                #expect(outcome.status == 64)
                #expect(try outcome.error()["code"] as? String == "output.insideInput")
            }
            #expect(try contents(of: model) == contents(of: tinyModel))
        }
    }

    @Test(arguments: [8, 300, 1200])
    func fullDiskIsOneLineAndNoOutput(blocks: Int) throws {
        try withScratchFolder { scratch in
            let output = scratch.appendingPathComponent("out").path
            let outcome = try Tool.run(
                ["convert", source, output, "--json", "--quiet"],
                fileBlockLimit: blocks
            )
            #expect(outcome.status == 74, "\(outcome.errors)")
            #expect(!FileManager.default.fileExists(atPath: output))
            #expect(outcome.errors.split(separator: "\n").count <= 2)
        }
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func stoppedRunGoesOnToTheSameBytes(signal: Int32) throws {
        try withScratchFolder { scratch in
            let model = scratch.appendingPathComponent("model.safetensors")
            try syntheticModel(matrixCount: 12, size: 512).write(to: model)
            let reference = scratch.appendingPathComponent("reference")
            let output = scratch.appendingPathComponent("out")
            let options = [
                "--any-architecture", "--max-shard-size", "150KB", "--scale", "search",
                "--threads", "1",
            ]
            let whole = try Tool.succeed(
                ["convert", model.path, reference.path, "--json"] + options
            )

            // The journal's second line says that a file is finished, of twelve.
            let journal = scratch.appendingPathComponent("out.partial/journal.jsonl")
            let stopped = try Tool.run(["convert", model.path, output.path, "--json"] + options) {
                for _ in 0..<10_000 {
                    let text = (try? String(contentsOf: journal, encoding: .utf8)) ?? ""
                    if text.split(separator: "\n").count > 1 { break }
                    usleep(1000)
                }
                kill($0, signal)
            }
            #expect(stopped.status == 75, "\(stopped.errors)")
            #expect(try stopped.error()["code"] as? String == "output.stopped")
            #expect(stopped.errors.contains("--resume"))
            #expect(!FileManager.default.fileExists(atPath: output.path))

            // Forgotten flags cost nothing.
            let forgotten = try Tool.run(["convert", model.path, output.path, "--json"] + options)
            #expect(forgotten.status == 73)
            #expect(try forgotten.error()["code"] as? String == "output.unfinished")
            #expect(forgotten.errors.contains("--resume continues"))

            let resumed = try Tool.succeed(
                ["convert", model.path, output.path, "--resume", "--json"] + options
            )
            let files = try #require(try resumed.object()["resumed_files"] as? [String])
            #expect((1...11).contains(files.count))
            #expect(try contents(of: output) == contents(of: reference))
            // The errors of all files, to the bit, not only of those written now.
            let results = try [whole, resumed].map { try $0.object() as NSDictionary }
            for key in ["totals", "tensors", "codes"] {
                #expect(results[0][key] as? NSObject == results[1][key] as? NSObject, "\(key)")
            }
            let names = try FileManager.default.contentsOfDirectory(atPath: scratch.path)
            #expect(!names.contains("out.partial"))
        }
    }

    /// Square matrices of bf16 in one safetensors file without a configuration.
    private func syntheticModel(matrixCount: Int, size: Int) -> Data {
        var generator = SeededGenerator(seed: 11)
        let byteCount = size * size * 2
        let entries = (0..<matrixCount).map { index in
            "\"layers.\(index + 10).weight\":{\"dtype\":\"BF16\",\"shape\":[\(size),\(size)],"
                + "\"data_offsets\":[\(index * byteCount),\((index + 1) * byteCount)]}"
        }
        var header = "{" + entries.joined(separator: ",") + "}"
        while header.utf8.count % 8 != 0 { header += " " }
        var file = Data()
        withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { file.append(contentsOf: $0) }
        file.append(contentsOf: header.utf8)
        var words: [UInt16] = []
        words.reserveCapacity(matrixCount * size * size)
        for _ in 0..<matrixCount * size * size / 4 {
            let bits = generator.next()
            for part in 0..<4 {
                // Any sign and fraction, exponents around that of 0.01.
                let word = UInt16(truncatingIfNeeded: bits >> (16 * part))
                words.append(word & 0x80FF | 0x3C00)
            }
        }
        words.withUnsafeBytes { file.append(contentsOf: $0) }
        return file
    }

    @Test(arguments: ["html", "md", "json"])
    func reportIsTheSameForTheSameRun(format: String) throws {
        try withScratchFolder { scratch in
            var texts: [String] = []
            for run in 0..<2 {
                let report = scratch.appendingPathComponent("report\(run).\(format)")
                let output = scratch.appendingPathComponent("out\(run)").path
                try Tool.succeed(
                    ["convert", source, output, "--report", report.path, "--threads", "\(run + 1)"]
                )
                texts.append(try String(contentsOf: report, encoding: .utf8))
            }
            #expect(texts[0] == texts[1])
            let name = "model.layers.3.mlp.down_proj"
            #expect(texts[0].replacingOccurrences(of: "\\_", with: "_").contains(name))
            #expect(!texts[0].contains(scratch.path))
            if format == "json" {
                _ = try JSONSerialization.jsonObject(with: Data(texts[0].utf8))
            }
            if format == "html" {
                #expect(texts[0].components(separatedBy: "<svg ").count == 4)
            }
        }
    }

    @Test func unwritableReportShowsBeforeTheWork() throws {
        try withScratchFolder { scratch in
            let output = scratch.appendingPathComponent("out").path
            let report = scratch.appendingPathComponent("missing/report.html").path
            let outcome = try Tool.run(["convert", source, output, "--report", report])
            #expect(outcome.status != 0)
            #expect(!FileManager.default.fileExists(atPath: output))
        }
    }

    @Test func quietRunSaysNothing() throws {
        try withScratchFolder { scratch in
            let output = scratch.appendingPathComponent("out").path
            let outcome = try Tool.succeed(["convert", source, output, "--quiet"])
            #expect(outcome.errors.isEmpty)
        }
    }
}
