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

            try Tool.succeed(["convert", source, output.path, "--force"])
            #expect(!FileManager.default.fileExists(atPath: mine.path))
            #expect(try contents(of: output)["model.safetensors"] != nil)
            let names = try FileManager.default.contentsOfDirectory(atPath: scratch.path)
            #expect(names == ["out"])
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
            try Tool.succeed(["convert", model.path, reference.path] + options)

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

            let resumed = try Tool.succeed(
                ["convert", model.path, output.path, "--resume", "--json"] + options
            )
            let files = try #require(try resumed.object()["resumed_files"] as? [String])
            #expect((1...11).contains(files.count))
            #expect(try contents(of: output) == contents(of: reference))
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
