import Foundation
import TestSupport
import Testing

/// The built tool on the checkpoint that ships with the package: from floats to codes and back.
@Suite struct ConversionTests {
    private let source = tinyModel.path

    @Test func convertsInspectsVerifiesAndDequantizes() throws {
        try withScratchFolder { scratch in
            let quantized = scratch.appendingPathComponent("nf4").path
            let floats = scratch.appendingPathComponent("floats").path
            let again = scratch.appendingPathComponent("again").path

            let converted = try Tool.succeed(["convert", source, quantized, "--json"]).object()
            let totals = try #require(converted["totals"] as? [String: Any])
            let bits = try #require(totals["bits_per_quantized_weight"] as? Double)
            #expect((4.5..<4.6).contains(bits))

            let inspected = try Tool.succeed(["inspect", quantized, "--json"]).object()
            let types = try #require(inspected["types"] as? [[String: Any]])
            let codes = try #require(types.first { $0["type"] as? String == "nf4" })
            // 4 layers of q, k, v, o, gate, up and down.
            #expect(codes["tensors"] as? Int == 28)

            let verified = try Tool.succeed(
                ["verify", quantized, "--against", source, "--json"]
            ).object()
            let error = try #require(verified["totals"] as? [String: Any])["relative_rmse"]
            let rmse = try #require(error as? Double)
            // NF4 at block size 64: the square root of 8.45e-3 for normal weights.
            #expect((0.085...0.105).contains(rmse))

            try Tool.succeed(["dequantize", quantized, floats])
            try Tool.succeed(["convert", floats, again])
            let first = try contents(of: URL(fileURLWithPath: quantized))
            let second = try contents(of: URL(fileURLWithPath: again))
            #expect(first["model.safetensors"] != nil)
            #expect(first["model.safetensors"] == second["model.safetensors"])
        }
    }

    @Test func carriesTheOtherFilesAlong() throws {
        try withScratchFolder { scratch in
            let output = scratch.appendingPathComponent("out")
            try Tool.succeed(["convert", source, output.path])
            let before = try contents(of: tinyModel)
            let after = try contents(of: output)
            for name in ["tokenizer.json", "tokenizer_config.json", "generation_config.json"] {
                #expect(before[name] == after[name])
            }
            let config = try JSONSerialization.jsonObject(
                with: try #require(after["config.json"])
            )
            let members = try #require(config as? [String: Any])
            let quantization = try #require(members["quantization_config"] as? [String: Any])
            #expect(quantization["load_in_4bit"] as? Bool == true)
            #expect(quantization["bnb_4bit_quant_type"] as? String == "nf4")
        }
    }

    @Test(
        arguments: [
            ["--type", "nf4"], ["--type", "fp4"], ["--type", "int8"], ["--type", "int8-blockwise"],
            ["--double-quant"], ["--scale", "search"], ["--block-size", "128"],
            ["--type", "fp4", "--double-quant"], ["--skip", "down_proj"], ["--only", "mlp"],
            ["--tensor-type", "down_proj=none"], ["--zstd"], ["--max-shard-size", "1MB"],
            ["--zstd=1", "--max-shard-size", "1MB", "--double-quant"], ["--dtype", "f32"],
        ]
    )
    func everyKindOfOutputVerifies(options: [String]) throws {
        try withScratchFolder { scratch in
            let output = scratch.appendingPathComponent("out").path
            let back = scratch.appendingPathComponent("back").path
            try Tool.succeed(["convert", source, output] + options)
            try Tool.succeed(["verify", output, "--against", source])
            let inspected = try Tool.succeed(["inspect", output, "--json"])
            #expect(inspected.errors.isEmpty)
            let types = try #require(try inspected.object()["types"] as? [[String: Any]])
            let found = Set(types.compactMap { $0["type"] as? String })
            #expect(found.contains(inspectedType(options)), "\(found)")
            #expect(found.isDisjoint(with: ["U8", "I8"]), "\(found)")
            try Tool.succeed(["dequantize", output, back])
            try Tool.succeed(["verify", back, "--against", source, "--fail-above", "0.2"])
        }
    }

    /// What `inspect` calls the quantized weights of a conversion.
    private func inspectedType(_ options: [String]) -> String {
        var type = "nf4"
        if let index = options.firstIndex(of: "--type") { type = options[index + 1] }
        if options.contains("--block-size") { type += "/128" }
        return type + (options.contains("--double-quant") ? "-dq" : "")
    }

    @Test(arguments: ["nf4", "fp4", "int8", "nf4-dq"])
    func sameBytesForAnyThreadsAndKernels(kind: String) throws {
        try withScratchFolder { scratch in
            let type = kind == "nf4-dq" ? ["--double-quant"] : ["--type", kind]
            let version = try Tool.succeed(["--version"]).output
            var outputs: [[String: Data]] = []
            var runs: [(threads: String, kernel: String)] = [
                ("1", ""), ("2", ""), ("7", ""), ("2", "generic"),
            ]
            if version.contains("avx2") { runs.append(("2", "avx2")) }
            for (index, run) in runs.enumerated() {
                let output = scratch.appendingPathComponent("out\(index)")
                try Tool.succeed(
                    ["convert", source, output.path, "--threads", run.threads] + type,
                    environment: ["QUANT_KERNEL": run.kernel]
                )
                outputs.append(try contents(of: output))
            }
            for output in outputs { #expect(output == outputs[0]) }
        }
    }

    @Test func limitOnTheErrorIsAStatus() throws {
        try withScratchFolder { scratch in
            let output = scratch.appendingPathComponent("out").path
            try Tool.succeed(["convert", source, output])
            let verify = ["verify", output, "--against", source, "--fail-above"]
            #expect(try Tool.run(verify + ["0.5"]).status == 0)
            let broken = try Tool.run(verify + ["0.01", "--json"])
            #expect(broken.status == 2)
            #expect(try broken.object()["tensors"] is [Any])
            #expect(broken.errors.contains("error: "))
        }
    }

    @Test(arguments: ["nf4", "nf4_dq_tied_sharded", "int8", "fp4_f32_storage_skip"])
    func readsWhatTransformersWrote(folder: String) throws {
        let model = try Golden.url("tiny_llama/\(folder)").path
        let base = try Golden.url("tiny_llama/base_f32").path
        try Tool.succeed(["inspect", model])
        try Tool.succeed(["verify", model])
        if folder != "nf4_dq_tied_sharded" {
            try Tool.succeed(["verify", model, "--against", base, "--fail-above", "0.2"])
        }
        try withScratchFolder { scratch in
            let floats = scratch.appendingPathComponent("floats").path
            try Tool.succeed(["dequantize", model, floats])
            try Tool.succeed(["verify", floats])
        }
    }
}
