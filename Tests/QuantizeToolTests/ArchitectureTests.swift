import CheckpointIO
import Foundation
import TestSupport
import Testing

/// Models that people really have: classifiers, adapters, experts, other names, other methods.
///
/// That the results give the logits of quantizing in transformers is for `Scripts/check-peers`.
@Suite struct ArchitectureTests {
    /// Writes a model, converts it, and hands over both folders and what was said.
    private func convert(
        _ model: TestModel,
        _ options: [String] = [],
        prepare: (URL) throws -> Void = { _ in },
        _ body: (_ source: URL, _ result: URL, _ outcome: Tool.Outcome) throws -> Void
    ) throws {
        try withScratchFolder { scratch in
            let source = scratch.appendingPathComponent("source")
            let result = scratch.appendingPathComponent("result")
            try model.write(to: source)
            try prepare(source)
            let outcome = try Tool.run(["convert", source.path, result.path, "--json"] + options)
            try body(source, result, outcome)
        }
    }

    /// `llm_int8_skip_modules`.
    private func skipList(_ result: URL) throws -> [String] {
        let text = try Data(contentsOf: result.appendingPathComponent("config.json"))
        let config = try #require(try JSONSerialization.jsonObject(with: text) as? [String: Any])
        let declaration = try #require(config["quantization_config"] as? [String: Any])
        return try #require(declaration["llm_int8_skip_modules"] as? [String])
    }

    /// What became of the tensors, by name.
    private func actions(_ outcome: Tool.Outcome) throws -> [String: String] {
        let tensors = try #require(try outcome.object()["tensors"] as? [[String: Any]])
        return Dictionary(
            uniqueKeysWithValues: tensors.compactMap { row in
                (row["name"] as? String).map { ($0, row["action"] as? String ?? "") }
            }
        )
    }

    private func codes(_ outcome: Tool.Outcome) throws -> [String] {
        let warnings = try #require(try outcome.object()["warnings"] as? [String])
        return warnings.compactMap { warning in
            warning.split(separator: "[").last.map { String($0.dropLast()) }
        }
    }

    private let any = ["--any-architecture"]

    @Test func headsOfClassifiersStay() throws {
        var model = TestModel.llama("LlamaForSequenceClassification")
        model.add("score.weight", 1, 64)
        try convert(model, any) { (source, result, outcome) throws in
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(try actions(outcome)["score.weight"] == "kept (output head)")
            #expect(try skipList(result).contains("score"))
            #expect(try codes(outcome) == ["model.guess"])
            try Tool.succeed(["verify", result.path, "--against", source.path])
        }
    }

    @Test func transposedLayersAreTransposed() throws {
        var model = TestModel(
            "GPT2ForSequenceClassification",
            type: "gpt2",
            ["n_embd": 64, "n_layer": 1, "n_head": 2, "vocab_size": 64, "n_positions": 32]
        )
        model.add("transformer.wte.weight", 64, 64)
        model.add("transformer.wpe.weight", 32, 64)
        model.add("transformer.h.0.attn.c_attn.weight", 64, 192)
        model.add("transformer.h.0.attn.c_proj.weight", 64, 64)
        model.add("transformer.h.0.mlp.c_fc.weight", 64, 256)
        model.add("transformer.h.0.mlp.c_proj.weight", 256, 64)
        model.add("score.weight", 2, 64)
        for config in [model.config, JSONObject()] {
            model.config = config
            try convert(model, any) { (source, result, outcome) throws in
                #expect(outcome.status == 0, "\(outcome.errors)")
                let inspected = try Tool.succeed(["inspect", result.path, "--json"]).object()
                let tensors = try #require(inspected["tensors"] as? [[String: Any]])
                func shape(_ name: String) -> [Int]? {
                    tensors.first { ($0["name"] as? String)?.hasSuffix(name) == true }?["shape"]
                        as? [Int]
                }
                #expect(shape("attn.c_attn.weight") == [192, 64])
                #expect(shape("mlp.c_proj.weight") == [64, 256])
                let verify = ["verify", result.path, "--against", source.path]
                try Tool.succeed(verify + ["--fail-above", "0.2"])
                guard config.members.count > 0 else { return }
                let floats = result.path + "-floats"
                try Tool.succeed(["dequantize", result.path, floats])
                for other in [source.path, result.path] {
                    try Tool.succeed(["verify", floats, "--against", other, "--fail-above", "0.2"])
                }
            }
        }
    }

    @Test func routersStayAndFloatExpertsAreCounted() throws {
        var model = TestModel.llama("Qwen3MoeForCausalLM", type: "qwen3_moe")
        for layer in 0..<2 {
            model.add("model.layers.\(layer).mlp.gate.weight", 4, 64)
            model.add("model.layers.\(layer).mlp.experts.gate_up_proj", 4, 64, 64)
        }
        try convert(model, any) { (_, result, outcome) throws in
            #expect(try actions(outcome)["model.layers.0.mlp.gate.weight"] == "kept (router)")
            #expect(try skipList(result).contains("gate"))
            #expect(try codes(outcome) == ["model.guess", "model.kept"])
            #expect(outcome.errors.contains("2 tensors of experts in one piece stay floats"))
        }
        model.add("model.layers.0.mlp.experts.0.up_proj.weight", 64, 64)
        try convert(model, any) { (_, _, outcome) throws in
            #expect(try codes(outcome).contains("model.foreign"))
            #expect(outcome.errors.contains("next: quantize convert"))
            #expect(outcome.errors.contains("--skip experts"))
        }
    }

    @Test func entriesOfTheSkipListHoldUnderOtherPrefixes() throws {
        var model = TestModel("LlavaForConditionalGeneration", type: "llava")
        model.addDecoder("language_model.model.")
        model.add("language_model.lm_head.weight", 128, 64)
        for layer in 0..<2 {
            let block = "vision_tower.vision_model.encoder.layers.\(layer)."
            for name in ["self_attn.q_proj", "self_attn.out_proj", "mlp.fc1"] {
                model.add(block + name + ".weight", 64, 64)
            }
        }
        try convert(model, any + ["--skip", "vision_tower"]) { (_, result, outcome) throws in
            #expect(outcome.status == 0, "\(outcome.errors)")
            let entries = try skipList(result)
            let tower = "model.vision_tower.encoder.layers.1."
            let text = "model.language_model.layers.1."
            func isSkipped(_ module: String) -> Bool {
                entries.contains { module.hasSuffix($0) || module.hasPrefix($0 + ".") }
            }
            for name in ["self_attn.q_proj", "self_attn.out_proj", "mlp.fc1"] {
                #expect(isSkipped(tower + name), "\(entries)")
            }
            #expect(isSkipped("lm_head"))
            for name in ["self_attn.q_proj", "self_attn.o_proj", "mlp.down_proj"] {
                #expect(!isSkipped(text + name), "\(entries)")
            }
        }
    }

    @Test func linearLayersNamedLikeTablesAreListed() throws {
        var model = TestModel("ElectraForSequenceClassification", type: "electra")
        model.add("electra.embeddings.word_embeddings.weight", 96, 64)
        model.add("electra.embeddings_project.weight", 128, 64)
        model.add("electra.encoder.layer.0.attention.self.query.weight", 128, 128)
        model.add("electra.encoder.layer.0.output.dense.weight", 128, 128)
        model.add("classifier.dense.weight", 128, 128)
        model.add("classifier.out_proj.weight", 2, 128)
        try convert(model, any) { (_, result, outcome) throws in
            let entries = try skipList(result)
            #expect(entries.contains("embeddings_project"))
            #expect(entries.contains("classifier.dense"))
            #expect(!entries.contains("dense"))
            #expect(try actions(outcome)["classifier.dense.weight"] == "kept (output head)")
        }
        // Whoever knows better can say so.
        let rule = ["--tensor-type", "embeddings_project=nf4"]
        try convert(model, any + rule) { (_, result, outcome) throws in
            #expect(
                try actions(outcome)["electra.embeddings_project.weight"]?.hasPrefix("nf4") == true
            )
            #expect(try skipList(result).contains("embeddings_project") == false)
        }
    }

    @Test func tablesOfT5StayAndItsLastLayers() throws {
        var model = TestModel("T5ForConditionalGeneration", type: "t5")
        model.add("shared.weight", 128, 64)
        let block = "encoder.block.0.layer."
        model.add(block + "0.SelfAttention.q.weight", 64, 64)
        model.add(block + "0.SelfAttention.relative_attention_bias.weight", 32, 2)
        model.add(block + "1.DenseReluDense.wi.weight", 128, 64)
        model.add(block + "1.DenseReluDense.wo.weight", 64, 128)
        try convert(model, any) { (_, result, outcome) throws in
            let kept = try actions(outcome).filter { $0.value.hasPrefix("kept") }.keys.sorted()
            #expect(
                kept == [
                    block + "0.SelfAttention.relative_attention_bias.weight",
                    block + "1.DenseReluDense.wo.weight", "shared.weight",
                ]
            )
            for name in ["shared", "relative_attention_bias", "wo"] {
                #expect(try skipList(result).contains(name))
            }
        }
    }

    @Test func unreadElementTypesAreNamed() throws {
        var model = TestModel("SomethingElse", type: "unknown")
        model.add("a.weight", "F8_E4M3", [64, 64], [UInt8](repeating: 8, count: 64 * 64))
        try convert(model, any) { (_, _, outcome) throws in
            #expect(outcome.status == 69)
            #expect(outcome.errors.contains("hint: the linear weights are F8_E4M3"))
        }
        model.add("b.weight", 64, 64)
        try convert(model, any) { (_, result, outcome) throws in
            #expect(outcome.status == 0)
            #expect(outcome.errors.contains("1 linear weights are F8_E4M3, which are not read"))
            #expect(try skipList(result).contains("a"))
        }
    }

    @Test func decodersWithoutAPrefixAreKnown() throws {
        let model = TestModel.llama(
            "Qwen3ForCausalLM",
            type: "qwen3",
            prefix: "",
            ["tie_word_embeddings": true]
        )
        let modules: JSONValue = .array([
            .object(["idx": 0, "path": ""]), .object(["idx": 1, "path": "1_Pooling"]),
        ])
        try convert(model) { source in
            try Data(modules.text().utf8).write(to: source.appendingPathComponent("modules.json"))
            for name in ["1_Pooling", "onnx"] {
                let folder = source.appendingPathComponent(name)
                try FileManager.default.createDirectory(
                    at: folder,
                    withIntermediateDirectories: true
                )
                try Data("{}".utf8).write(to: folder.appendingPathComponent("config.json"))
            }
        } _: { (source, result, outcome) throws in
            #expect(outcome.status == 0, "\(outcome.errors)")
            let files = try contents(of: result)
            #expect(files["1_Pooling/config.json"] == Data("{}".utf8))
            #expect(files["onnx/config.json"] == nil)
            #expect(outcome.errors.contains("onnx/: left out [file.leftOut]"))
            try Tool.succeed(["verify", result.path, "--against", source.path])
            try Tool.succeed(["dequantize", result.path, result.path + "-floats"])
            try Tool.succeed(["verify", result.path + "-floats", "--against", source.path])
        }
    }

    /// Of a known architecture, but with other tensors.
    @Test func whatConvertWroteCanBeOpened() throws {
        var model = TestModel("LlamaForCausalLM", type: "llama", TestModel.llama().config)
        model.add("model.layers.0.self_attn.q_proj.weight", 64, 64)
        try convert(model) { (_, _, outcome) throws in #expect(outcome.status == 65) }
        try convert(model, any) { (source, result, outcome) throws in
            #expect(outcome.status == 0, "\(outcome.errors)")
            try Tool.succeed(["inspect", result.path])
            try Tool.succeed(["verify", result.path])
            try Tool.succeed(["dequantize", result.path, result.path + "-floats"])
            try Tool.succeed(["verify", result.path + "-floats", "--against", result.path])
        }
    }

    @Test func adaptersTravelWhole() throws {
        var model = TestModel.llama()
        model.add("lm_head.weight", 128, 64)
        try convert(model) { source in
            let files = ["adapter_config.json", "adapter_model.safetensors", "pytorch_model.bin"]
            for name in files {
                try Data("{\"\(name)\": 1}".utf8).write(to: source.appendingPathComponent(name))
            }
        } _: { (source, result, outcome) throws in
            #expect(outcome.status == 0, "\(outcome.errors)")
            let (before, after) = (try contents(of: source), try contents(of: result))
            for name in ["adapter_config.json", "adapter_model.safetensors"] {
                #expect(after[name] == before[name])
            }
            #expect(after["pytorch_model.bin"] == nil)
            #expect(outcome.errors.contains("pytorch_model.bin: left out"))
        }
    }

    @Test func weightsQuantizedByOthersAreListedAndRefused() throws {
        var model = TestModel("LlamaForCausalLM", type: "llama", TestModel.llama().config)
        model.config["quantization_config"] = .object(["quant_method": "gptq", "bits": 4])
        model.add(
            "model.layers.0.self_attn.q_proj.qweight",
            "I32",
            [8, 4],
            [UInt8](repeating: 0, count: 128)
        )
        model.add("model.embed_tokens.weight", 128, 64)
        for options in [[], any] {
            try convert(model, options) { (source, _, outcome) throws in
                #expect(outcome.status == 69)
                #expect(outcome.errors.contains("quantized by \"gptq\""))
                #expect(outcome.errors.contains("hint: take the model that it was made from"))
                try Tool.succeed(["inspect", source.path])
                try Tool.succeed(["verify", source.path])
                #expect(try Tool.run(["dequantize", source.path, "unused"]).status == 69)
            }
        }
        // A leftover announcement over plain tensors is replaced.
        var plain = TestModel.llama(
            "LlamaForCausalLM",
            type: "llama",
            ["tie_word_embeddings": true]
        )
        plain.config["quantization_config"] = .object(["quant_method": "gptq", "bits": 4])
        try convert(plain) { (_, result, outcome) throws in
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(try codes(outcome) == ["config.quantization"])
            let config = try String(
                contentsOf: result.appendingPathComponent("config.json"),
                encoding: .utf8
            )
            #expect(!config.contains("gptq"))
        }
    }

    @Test func floatGGUFBecomesAFolder() throws {
        try withScratchFolder { scratch in
            let file = scratch.appendingPathComponent("model.gguf")
            var writer = GGUFWriter.tinyLlama()
            try Data(writer.bytes()).write(to: file)
            for dtype in [[], ["--dtype", "bf16"]] {
                let output = scratch.appendingPathComponent("out\(dtype.count)").path
                try Tool.succeed(["dequantize", file.path, output] + dtype)
                let compared = try Tool.succeed([
                    "verify", output, "--against", file.path, "--json",
                ])
                let totals = try #require(try compared.object()["totals"] as? [String: Any])
                let error = try #require(totals["relative_rmse"] as? Double)
                #expect(dtype.isEmpty ? error == 0 : (0x1p-12...0x1p-8).contains(error))
            }
        }
    }

    @Test(
        arguments: [
            (["--block-size", "128"], "--block-size 64", "blocks of 128"),
            (["--type", "int8-blockwise"], "quantize dequantize", "int8-blockwise"),
            (["--zstd"], "zstd -d --rm", ".safetensors.zst"),
        ]
    )
    func whatOthersDoNotOpenIsSaid(options: [String], remedy: String, reason: String) throws {
        var model = TestModel.llama()
        model.add("lm_head.weight", 128, 64)
        try convert(model, options) { (_, result, outcome) throws in
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(try codes(outcome) == ["model.foreign"])
            let lines = outcome.errors.split(separator: "\n")
            #expect(lines.count { $0.hasPrefix("warning: ") && $0.contains(reason) } == 1)
            #expect(lines.contains { $0.hasPrefix("next: ") && $0.contains(remedy) })
        }
        try convert(model) { (_, _, outcome) throws in #expect(try codes(outcome).isEmpty) }
    }
}
