import Foundation
import TestSupport
import Testing

/// The built tool on the model and the adapter that ship with the package.
@Suite struct FuseTests {
    private let source = tinyModel.path
    private let adapter =
        tinyModel.deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("plain-english-adapter/adapter").path

    @Test func inspectsFusesAndVerifies() throws {
        try withScratchFolder { scratch in
            let quantized = scratch.appendingPathComponent("nf4").path
            let fused = scratch.appendingPathComponent("fused").path
            try Tool.succeed(["convert", source, quantized, "--double-quant"])

            let inspected = try Tool.succeed(
                ["adapter", "inspect", adapter, "--base", quantized, "--json"]
            ).object()
            let modules = try #require(inspected["modules"] as? [[String: Any]])
            #expect(modules.count == 28)
            #expect(modules.allSatisfy { $0["rank"] as? Int == 4 && $0["scaling"] as? Double == 2 })
            #expect(modules.allSatisfy { ($0["delta_norm"] as? Double ?? 0) > 0.1 })

            let dry = try Tool.succeed(["fuse", quantized, adapter, fused, "--dry-run"])
            #expect(dry.output.contains("28 of 38 tensors are to change"))
            #expect(!FileManager.default.fileExists(atPath: fused))

            let result = try Tool.succeed(["fuse", quantized, adapter, fused, "--json"]).object()
            #expect(result["dry_run"] as? Bool == false)
            let types = try #require(
                try Tool.succeed(["inspect", fused, "--json"]).object()["types"] as? [[String: Any]]
            )
            #expect(types.compactMap { $0["type"] as? String } == ["BF16"])
            // The change is as large as the deltas, which are about the size of the weights' error.
            let verified = try Tool.run([
                "verify", fused, "--against", source, "--fail-above", "0.05",
            ])
            #expect(verified.status == 2)
            // Nothing is overwritten unasked.
            #expect(try Tool.run(["fuse", quantized, adapter, fused]).status == 73)
            try Tool.succeed(["fuse", quantized, adapter, fused, "--force"])
        }
    }

    @Test(arguments: [["--type", "nf4"], ["--double-quant"], ["--type", "int8"]])
    func requantizesAndSaysWhatIsLeft(options: [String]) throws {
        try withScratchFolder { scratch in
            let quantized = scratch.appendingPathComponent("quantized").path
            let fused = scratch.appendingPathComponent("fused").path
            try Tool.succeed(["convert", source, quantized] + options)
            let only = ["--requantize", "--json", "--fail-above"]
            let broken = try Tool.run(["fuse", quantized, adapter, fused] + only + ["0.001"])
            #expect(broken.status == 2)
            let done = try Tool.succeed(
                ["fuse", quantized, adapter, fused, "--force"] + only + ["0.9"]
            )
            let survival = try #require(done.object()["survival"] as? [String: Any])
            let cosine = try #require(survival["cosine"] as? Double)
            // Steps of 4 bits drown most of a small change, those of 8 bits little.
            let expected = options.last == "int8" ? 0.99...0.999 : 0.5...0.7
            #expect(expected.contains(cosine))
            #expect((survival["weights"] as? [Any])?.count == 28)
            try Tool.succeed(["verify", fused])
            let types = try [quantized, fused].map { folder in
                let types = try Tool.succeed(["inspect", folder, "--json"]).object()["types"]
                return (types as? [[String: Any]] ?? []).map {
                    "\($0["type"] ?? "") \($0["tensors"] ?? "")"
                }
            }
            #expect(types[0] == types[1] && !types[0].isEmpty)
        }
    }

    @Test(arguments: [
        (["fuse", "MODEL", "ADAPTER"], 64, "at least one adapter"),
        (["fuse", "MODEL", "ADAPTER=x", "OUT"], 64, "no number"),
        (["fuse", "MODEL", "ADAPTER", "OUT", "--onto", "dequantized"], 69, "not quantized"),
        (["fuse", "MODEL", "ADAPTER", "OUT", "--requantize"], 69, "not quantized"),
        (["fuse", "MODEL", "ADAPTER", "OUT", "--requantize", "--dtype", "f32"], 64, "--dtype"),
        (["fuse", "MODEL", "ADAPTER", "OUT", "--fail-above", "0.1"], 64, "--requantize"),
        (["fuse", "MODEL", "MODEL", "OUT"], 66, "adapter_config.json"),
        (["fuse", "MODEL", "ADAPTER", "ADAPTER/out"], 64, "inside"),
        (["adapter", "inspect", "MODEL"], 66, "adapter_config.json"),
        (["adapter", "convert", "ADAPTER", "OUT"], 64, "--initial"),
        (["adapter", "convert", "ADAPTER", "OUT", "--base", "MODEL"], 69, "nothing to convert"),
        (["adapter", "convert", "ADAPTER", "OUT", "--to", "mlx", "--base", "MODEL"], 64, "--base"),
        (["adapter", "combine", "ADAPTER"], 64, "at least one adapter"),
        (["adapter", "combine", "ADAPTER", "OUT", "--type", "ties"], 64, "--density"),
        (["adapter", "combine", "ADAPTER", "OUT", "--density", "0.5"], 64, "no place"),
        (["adapter", "combine", "ADAPTER", "OUT", "--rank", "3"], 64, "svd"),
        (
            ["adapter", "combine", "ADAPTER", "ADAPTER", "OUT", "--type", "svd", "--rank", "900"],
            64, "900"
        ),
        (["adapter", "combine", "ADAPTER", "ADAPTER", "ADAPTER/x"], 64, "inside"),
    ])
    func mistakesHaveOneClearError(arguments: [String], status: Int32, words: String) throws {
        try withScratchFolder { scratch in
            let output = scratch.appendingPathComponent("out").path
            let outcome = try Tool.run(
                arguments.map {
                    $0.replacingOccurrences(of: "MODEL", with: source)
                        .replacingOccurrences(of: "ADAPTER", with: adapter)
                        .replacingOccurrences(of: "OUT", with: output)
                }
            )
            #expect(outcome.status == status, "\(outcome.errors)")
            #expect(outcome.errors.contains(words), "\(outcome.errors)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path).isEmpty)
        }
    }

    @Test func combinesAdapters() throws {
        try withScratchFolder { scratch in
            let sum = scratch.appendingPathComponent("sum").path
            let result = try Tool.succeed(
                ["adapter", "combine", "\(adapter)=0.75", "\(adapter)=0.25", sum, "--json"]
            ).object()
            #expect(result["rank"] as? Int == 8)
            // The sum of both is the adapter itself.
            let fused = try [adapter, sum].map { adapter in
                let output = scratch.appendingPathComponent("fused")
                try? FileManager.default.removeItem(at: output)
                try Tool.succeed(["fuse", source, adapter, output.path])
                return try contents(of: output)["model.safetensors"]
            }
            let differing = zip(fused[0] ?? Data(), fused[1] ?? Data()).count { $0 != $1 }
            #expect(fused[0]?.count == fused[1]?.count && differing < 2_000)
            let svd = scratch.appendingPathComponent("svd").path
            let options = ["--type", "ties_svd", "--density", "0.5", "--rank", "6", "--seed", "1"]
            try Tool.succeed(["adapter", "combine", adapter, adapter, svd] + options)
            let inspected = try Tool.succeed([
                "adapter", "inspect", svd, "--base", source, "--json",
            ])
            let modules = try #require(try inspected.object()["modules"] as? [[String: Any]])
            #expect(modules.count == 28 && modules.allSatisfy { $0["rank"] as? Int == 6 })
        }
    }

    @Test func convertsToOtherLayoutsAndBack() throws {
        try withScratchFolder { scratch in
            let (mlx, peft) = (
                scratch.appendingPathComponent("mlx").path,
                scratch.appendingPathComponent("peft").path
            )
            try Tool.succeed(["adapter", "convert", adapter, mlx, "--to", "mlx"])
            try Tool.succeed(["adapter", "convert", mlx, peft, "--from", "mlx"])
            let modules = try [adapter, peft].map { folder in
                let inspected = try Tool.succeed(["adapter", "inspect", folder, "--json"]).object()
                return (inspected["modules"] as? [[String: Any]] ?? []).map {
                    "\($0["delta_norm"] ?? "")"
                }
            }
            #expect(modules[0] == modules[1] && modules[0].count == 28)
        }
    }

    @Test func weightsScaleAdapters() throws {
        try withScratchFolder { scratch in
            func fused(_ name: String, _ adapters: [String]) throws -> Data? {
                let output = scratch.appendingPathComponent(name)
                try Tool.succeed(["fuse", source] + adapters + [output.path, "--dtype", "f32"])
                return try contents(of: output)["model.safetensors"]
            }
            let once = try fused("once", [adapter])
            #expect(try fused("same", ["\(adapter)=1"]) == once)
            #expect(try fused("half", ["\(adapter)=0.5"]) != once)
            #expect(try fused("none", ["\(adapter)=0"]) != once)
        }
    }
}
