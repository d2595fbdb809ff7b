import Foundation
import TestSupport
import Testing

/// `quantize loftq` on the model that ships with the package.
@Suite struct LoftQCommandTests {
    private let source = tinyModel.path

    /// How far base and adapter together are from the model: two-sided, so that neither a loss nor a figure
    /// that is too good to be true passes.
    @Test(arguments: [
        (["--rank", "4"], 0.088...0.090),
        (["--rank", "16"], 0.080...0.082),
        (["--rank", "16", "--iterations", "5"], 0.0705...0.072),
        (["--rank", "16", "--rslora", "--alpha", "32", "--iterations", "5"], 0.0705...0.072),
        (["--rank", "64", "--iterations", "5", "--double-quant"], 0.0490...0.0500),
        (["--rank", "16", "--method", "qpissa"], 0.0735...0.0750),
        (["--rank", "16", "--type", "int8"], 0.004...0.008),
        (["--rank", "16", "--method", "pissa"], 0.0010...0.0018),
        (["--rank", "16", "--method", "olora"], 0.0010...0.0018),
    ])
    func errorsAreWhatTheyWere(options: [String], expected: ClosedRange<Double>) throws {
        try withScratchFolder { scratch in
            let output = scratch.appendingPathComponent("out").path
            let made = try Tool.succeed(["loftq", source, output, "--json"] + options).object()
            let layers = try #require(made["layers"] as? [[String: Any]])
            #expect(layers.count == 28)
            func sum(_ key: String) -> Double {
                layers.reduce(0) { $0 + pow($1[key] as? Double ?? .nan, 2) }
            }
            let error = (sum("error") / sum("weight_norm")).squareRoot()
            #expect(expected.contains(error), "\(error)")
            let losesNothing = options.last == "pissa" || options.last == "olora"
            #expect(layers.allSatisfy { ($0["gain"] as? Double ?? -1) >= 0 })
            #expect(layers.contains { ($0["gain"] as? Double ?? 0) > 0.01 } != losesNothing)

            // What was written is what was told: base and adapter give the model back.
            let folder =
                switch options.last {
                case "olora": "olora_init"
                case "pissa", "qpissa": "pissa_init"
                default: "loftq_init"
                }
            let fused = scratch.appendingPathComponent("fused").path
            try Tool.succeed(["fuse", output, "\(output)/\(folder)", fused, "--dtype", "f32"])
            let verified = try Tool.run(["verify", fused, "--against", source, "--json"]).object()
            let totals = try #require(verified["totals"] as? [String: Any])
            let found = try #require(totals["relative_rmse"] as? Double)
            #expect(found > 0.5 * error && found < 1.02 * error, "\(found), \(error)")
        }
    }

    @Test func sameBytesForAnyThreadsAndAfterAStop() throws {
        try withScratchFolder { scratch in
            let options = ["--rank", "16", "--iterations", "3", "--max-shard-size", "400KB"]
            var all: [[String: Data]] = []
            for threads in ["1", "2", "7"] {
                let output = scratch.appendingPathComponent("out\(threads)")
                try Tool.succeed(["loftq", source, output.path, "--threads", threads] + options)
                all.append(try contents(of: output))
            }
            let stopped = scratch.appendingPathComponent("stopped")
            let partial = scratch.appendingPathComponent("stopped.partial")
            let outcome = try Tool.run(["loftq", source, stopped.path] + options) { process in
                while (try? FileManager.default.contentsOfDirectory(atPath: partial.path))?
                    .contains(".part-00003") != true
                { usleep(200) }
                kill(process, SIGKILL)
            }
            #expect(outcome.status != 0 && !FileManager.default.fileExists(atPath: stopped.path))
            let resumed = try Tool.succeed(["loftq", source, stopped.path, "--resume"] + options)
            #expect(!resumed.output.isEmpty)
            all.append(try contents(of: stopped))
            #expect(all[0].keys.contains("model-00002-of-00003.safetensors") || all[0].count > 6)
            #expect(all.allSatisfy { $0 == all[0] })
            #expect(!all[0].keys.contains { $0.hasPrefix(".part") })
        }
    }

    @Test func leavesABaseAsItIs() throws {
        try withScratchFolder { scratch in
            let base = scratch.appendingPathComponent("nf4")
            try Tool.succeed(["convert", source, base.path, "--double-quant"])
            let before = try contents(of: base)
            let adapter = scratch.appendingPathComponent("adapter")
            let options = ["--replace", base.path, "--rank-pattern", "down_proj=32", "--json"]
            let made = try Tool.succeed(["loftq", source, adapter.path] + options).object()
            #expect(try contents(of: base) == before)
            let names = try contents(of: adapter).keys.sorted()
            #expect(names == ["SHA256SUMS", "adapter_config.json", "adapter_model.safetensors"])
            let layers = try #require(made["layers"] as? [[String: Any]])
            #expect(layers.count == 28)
            for layer in layers {
                let isDown = (layer["module"] as? String)?.hasSuffix("down_proj") == true
                #expect(layer["rank"] as? Int == (isDown ? 32 : 16))
                #expect((layer["gain"] as? Double ?? 0) > 0.02)
            }
            let fused = scratch.appendingPathComponent("fused").path
            try Tool.succeed(["fuse", base.path, adapter.path, fused])
            // Plain quantization with the same rank wins what the first iteration of the whole method does.
            let whole = scratch.appendingPathComponent("whole")
            let again = try Tool.succeed(
                ["loftq", source, whole.path, "--double-quant", "--json"] + options[2...3]
            ).object()
            for (own, other) in zip(layers, again["layers"] as? [[String: Any]] ?? []) {
                let (left, right) = (own["error"] as? Double ?? 0, other["error"] as? Double ?? 1)
                #expect(abs(left - right) < 1e-6 * right)
            }
        }
    }

    @Test func layersThatWinLittleBeginAsNewOnes() throws {
        try withScratchFolder { scratch in
            let output = scratch.appendingPathComponent("out")
            let plain = scratch.appendingPathComponent("plain")
            let made = try Tool.succeed([
                "loftq", source, output.path, "--rank", "4", "--iterations", "2", "--min-gain", "1",
                "--json",
            ]).object()
            let layers = try #require(made["layers"] as? [[String: Any]])
            #expect(layers.allSatisfy { $0["verdict"] as? String == "reject" })
            try Tool.succeed(["convert", source, plain.path])
            // Then the base is that of plain quantization, and the adapter changes nothing.
            let name = "model.safetensors"
            #expect(try contents(of: output)[name] == contents(of: plain)[name])
            let inspected = try Tool.succeed([
                "adapter", "inspect", output.path + "/loftq_init", "--json",
            ]).object()
            let modules = try #require(inspected["modules"] as? [[String: Any]])
            #expect(modules.allSatisfy { $0["delta_norm"] as? Double == 0 })
            #expect(modules.allSatisfy { ($0["a_norm"] as? Double ?? 0) > 0.1 })
        }
    }

    @Test func plansWithATimeAndReportsWithAPicture() throws {
        try withScratchFolder { scratch in
            let output = scratch.appendingPathComponent("out").path
            let dry = try Tool.succeed(["loftq", source, output, "--dry-run"])
            #expect(dry.output.contains("28 of 38 tensors are to change"))
            #expect(dry.output.contains("for 28 layers"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path).isEmpty)
            let report = scratch.appendingPathComponent("report.html")
            try Tool.succeed(["loftq", source, output, "--report", report.path])
            let page = try String(contentsOf: report, encoding: .utf8)
            for words in ["LoftQ of ", "The adapter", "Error by layer", "with adapter", "<svg"] {
                #expect(page.contains(words), "\(words)")
            }
        }
    }

    @Test func anAdapterBelongsToItsBase() throws {
        try withScratchFolder { scratch in
            let output = scratch.appendingPathComponent("out").path
            let fused = scratch.appendingPathComponent("fused").path
            let plain = scratch.appendingPathComponent("plain").path
            try Tool.succeed(["loftq", source, output, "--iterations", "3"])
            try Tool.succeed(["convert", source, plain])
            for wrong in [source, plain] {
                let outcome = try Tool.run(["fuse", wrong, output + "/loftq_init", fused])
                #expect(outcome.status == 65 && outcome.errors.contains("adapter.wrongBase"))
            }
            try Tool.succeed(["fuse", output, output + "/loftq_init", fused])
            // A combination belongs to the same one, and two of different bases have none.
            let sum = scratch.appendingPathComponent("sum").path
            let own = output + "/loftq_init"
            try Tool.succeed(["adapter", "combine", own, "\(own)=0.5", sum])
            #expect(try Tool.run(["fuse", plain, sum, fused]).status == 65)
            let other = scratch.appendingPathComponent("other").path
            try Tool.succeed(["loftq", source, other, "--iterations", "2"])
            let mixed = try Tool.run([
                "adapter", "combine", own, other + "/loftq_init", sum, "--force",
            ])
            #expect(mixed.status == 65 && mixed.errors.contains("adapter.contradiction"))
            // The base as 16-bit floats is still the same.
            let floats = scratch.appendingPathComponent("floats").path
            try Tool.succeed(["dequantize", output, floats])
            try Tool.succeed(["fuse", floats, output + "/loftq_init", fused, "--force"])
        }
    }

    @Test(arguments: [
        (["loftq", "MODEL", "OUT", "--rank", "97"], 65, "at most 64"),
        (["loftq", "MODEL", "OUT", "--rank", "0"], 64, "--rank"),
        (["loftq", "MODEL", "OUT", "--targets", "nothing"], 65, "adapter.noTarget"),
        (["loftq", "MODEL", "OUT", "--targets", "embed_tokens"], 69, "no linear layer"),
        (["loftq", "MODEL", "OUT", "--targets", "(q_proj"], 65, "adapter.pattern"),
        (["loftq", "MODEL", "OUT", "--rank-pattern", "q_proj"], 64, "PATTERN=RANK"),
        (["loftq", "MODEL", "OUT", "--method", "pissa", "--iterations", "2"], 64, "--iterations"),
        (["loftq", "MODEL", "OUT", "--replace", "NF4", "--method", "qpissa"], 64, "--replace"),
        (["loftq", "MODEL", "OUT", "--replace", "MODEL"], 69, "not quantized"),
        (["loftq", "NF4", "OUT"], 69, "quantized already"),
        (["loftq", "NF4", "OUT", "--replace", "NF4"], 69, "quantized already"),
        (["loftq", "MODEL", "OUT", "--memory-limit", "1MB"], 75, "memory"),
    ])
    func mistakesHaveOneClearError(arguments: [String], status: Int32, words: String) throws {
        try withScratchFolder { scratch in
            let base = scratch.appendingPathComponent("nf4").path
            if arguments.contains("NF4") { try Tool.succeed(["convert", source, base]) }
            let output = scratch.appendingPathComponent("out").path
            let outcome = try Tool.run(
                arguments.map {
                    $0.replacingOccurrences(of: "MODEL", with: source)
                        .replacingOccurrences(of: "NF4", with: base)
                        .replacingOccurrences(of: "OUT", with: output)
                }
            )
            #expect(outcome.status == status, "\(outcome.status) \(outcome.errors)")
            #expect(outcome.errors.contains(words), "\(outcome.errors)")
            #expect(!FileManager.default.fileExists(atPath: output))
        }
    }
}
