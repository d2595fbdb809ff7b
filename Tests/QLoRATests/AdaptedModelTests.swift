import CheckpointIO
import Foundation
import Fusing
import Models
import SIMDKernels
import Quant
import TestSupport
import Tensors
import Testing

@testable import QLoRA

/// Adapters on whole models, beside PEFT.
@Suite struct AdaptedModelTests {
    private static func tensors(_ name: String) throws -> [String: GoldenTensor] {
        try Golden.tensors(at: GoldenModel.url(name))
    }

    /// The golden data's own bound: two hundred-thousandths of the largest logit.
    private static func agree(_ found: [Float], _ expected: [Float]) -> Bool {
        let bound = 2e-5 * expected.reduce(0) { max($0, $1.magnitude) } + 2e-6
        return found.count == expected.count
            && zip(found, expected).allSatisfy { ($0 - $1).magnitude <= bound }
    }

    /// The distance of what is found, as a part of that of what it would be without adapters.
    private static func distance(
        _ found: [Float],
        _ expected: [Float],
        without bare: [Float]
    ) -> Float {
        func square(_ a: [Float], _ b: [Float]) -> Float {
            zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
        return (square(found, expected) / square(bare, expected)).squareRoot()
    }

    /// Logits of rows of tokens, sample by sample.
    private static func logits(
        _ model: LanguageModel,
        _ ids: GoldenTensor,
        mode: ComputeMode = .float32
    ) throws -> [Float] {
        let width = ids.shape[1]
        return try (0..<ids.shape[0]).flatMap { sample in
            let tokens = Array(ids.integers[sample * width..<(sample + 1) * width])
            return try model.logits(of: tokens, mode: mode).elements
        }
    }

    private static func cases(_ name: String) throws -> [[String: Any]] {
        try #require(try GoldenModel.object(name)["cases"] as? [[String: Any]])
    }

    @Test func logitsAreThoseOfPEFT() throws {
        let tensors = try Self.tensors("adapters.safetensors")
        var count = 0
        for members in try Self.cases("adapters.json") {
            let id = try #require(members["id"] as? String)
            guard let expected = tensors["\(id).logits"] else { continue }
            let base = try #require(members["base"] as? String)
            let isQuantized = id.hasPrefix("on_nf4.")
            let path =
                try isQuantized
                ? Golden.url("tiny_llama/nf4").path : GoldenModel.url(base).path
            let name = isQuantized ? "llama" : try #require(base.split(separator: "/").last)
            let ids = try #require(tensors["input_ids.\(name)"])
            var model = AdaptedModel(try LanguageModel(at: path))
            let folder = (members["dir"] as? String) ?? "adapters/\(id)"
            try model.load(AdapterFolder(at: GoldenModel.url(folder).path), as: "default")
            let bare = try Self.logits(model.model(), ids)
            if !isQuantized {
                let without = try #require(tensors["base_logits.\(name)"])
                #expect(Self.agree(bare, without.floats), "\(id), without the adapter")
            }
            try model.activate(["default"])
            let adapted = try Self.logits(model.model(), ids)
            #expect(Self.agree(adapted, expected.floats), "\(id)")
            #expect(!Self.agree(bare, expected.floats), "\(id) changes nothing")
            let rounded = try Self.logits(model.model(), ids, mode: .bfloat16)
            let roundedBare = try Self.logits(model.base, ids, mode: .bfloat16)
            let distance = Self.distance(rounded, expected.floats, without: bare)
            let limit = Self.distance(roundedBare, bare, without: expected.floats)
            // Factors are rounded as well, and cost no more than activations do.
            #expect(distance < limit + 0.004, "\(id)")
            count += 1

            // Where the reference merges what it cannot, the unmerged logits are right.
            let isWrong = members["peft_merge"] != nil
            do throws(CheckpointError) {
                let merged = try model.merged()
                let right = isWrong ? expected : (tensors["\(id).merged_logits"] ?? expected)
                let found = try? Self.logits(merged, ids)
                if !isQuantized {
                    #expect(found.map { Self.agree($0, right.floats) } == true, "\(id)")
                }
            } catch {
                #expect(error.code == .adapterUnsupported, "\(id): \(error)")
                #expect(id == "lora_bias", "\(id): \(error)")
            }
            // To unmerge, or unload, is to use the base again.
            #expect(try Self.logits(model.base, ids) == bare)
        }
        #expect(count >= 33)
    }

    /// Also of layers that share weights, and of a head that is told apart from the embedding it is tied to.
    @Test func fusedModelsGiveTheLogitsOfTheirAdapters() throws {
        let tensors = try Self.tensors("adapters.safetensors")
        let folder = try TemporaryFolder()
        var fused: Set<String> = []
        for members in try Self.cases("adapters.json") {
            let id = try #require(members["id"] as? String)
            let base = try #require(members["base"] as? String)
            guard let expected = tensors["\(id).logits"], base.hasPrefix("bases/") else { continue }
            let name = try #require(base.split(separator: "/").last)
            let ids = try #require(tensors["input_ids.\(name)"])
            let adapter = try AdapterFolder(at: GoldenModel.url("adapters/\(id)").path)
            let checkpoint = try Checkpoint(at: GoldenModel.url(base).path)
            do throws(CheckpointError) {
                let fuser = try AdapterFuser(checkpoint, [AdapterFuser.Part(adapter)])
                _ = try fuser.run(to: folder(id))
            } catch {
                #expect(id == "lora_bias" && error.code == .adapterUnsupported, "\(id): \(error)")
                continue
            }
            let model = try LanguageModel(at: folder(id))
            #expect(Self.agree(try Self.logits(model, ids), expected.floats), "\(id)")
            fused.insert(id)
        }
        let special = ["replication", "replication_shuffled", "tied_embedding", "tied_save"]
        #expect(fused.count >= 28 && fused.isSuperset(of: special), "\(fused.sorted())")
    }

    @Test func layersAreStackedAnewOnlyWhereTheyAreAlike() throws {
        let folder = try TemporaryFolder()
        func checkpoint(_ changes: JSONObject, _ name: String) throws -> Checkpoint {
            let url = URL(fileURLWithPath: folder(name))
            try TestModel.llama("LlamaForCausalLM", changes).write(to: url)
            return try Checkpoint(
                at: folder(name),
                options: .init(allowsAnyArchitecture: changes["model_type"] != nil)
            )
        }
        let tied: JSONObject = ["tie_word_embeddings": true]
        let model = try checkpoint(tied, "tied")
        let stacked = try model.restacked([1, 0, 1])
        #expect(stacked.model?.layerCount == 3)
        let name: Name = "model.layers.2.mlp.up_proj.weight"
        #expect(stacked[name]?.storedName == "model.layers.1.mlp.up_proj.weight")
        #expect(stacked.tensors.count == model.tensors.count + (model.tensors.count - 2) / 2)
        try expectError(.configRange) { try model.restacked([0, 2]) }
        let own = try model.withOwnHead()
        #expect(own["lm_head.weight"]?.storedName == "model.embed_tokens.weight")
        #expect(own.model?.tiesWordEmbeddings == false)
        try expectError(.configUnsupported) { try own.withOwnHead() }

        // A window that begins at some layer is not that of a layer elsewhere.
        var windowed = tied
        windowed["use_sliding_window"] = true
        let sliding = try checkpoint(windowed, "windowed")
        try expectError(.configUnsupported) { try sliding.restacked([1, 0]) }
        windowed["layer_types"] = ["sliding_attention", "full_attention"]
        let typed = try checkpoint(windowed, "typed").restacked([1, 0, 0])
        guard case .array(let types)? = typed.configuration?["layer_types"] else {
            Issue.record("no layer_types")
            return
        }
        let texts = types.map { if case .string(let text) = $0 { text } else { "" } }
        #expect(texts == ["full_attention", "sliding_attention", "sliding_attention"])
        var unknown = tied
        unknown["architectures"] = ["SomethingElse"]
        unknown["model_type"] = "unknown"
        let other = try checkpoint(unknown, "unknown")
        try expectError(.configUnsupported) { try other.restacked([1, 0]) }
        try expectError(.configUnsupported) { try other.withOwnHead() }
    }

    @Test func samplesOfABatchHaveAdaptersOfTheirOwn() throws {
        let tensors = try Self.tensors("mixed.safetensors")
        let ids = try #require(tensors["input_ids"])
        let base = try LanguageModel(at: GoldenModel.url("bases/llama").path)
        for members in try Self.cases("mixed.json") {
            let id = try #require(members["id"] as? String)
            let folders = try #require(members["adapters"] as? [String: String])
            let names = try #require(members["adapter_names"] as? [String])
            var model = AdaptedModel(base)
            for (name, folder) in folders.sorted(by: { $0.key < $1.key }) {
                try model.load(AdapterFolder(at: GoldenModel.url(folder).path), as: name)
            }
            let mixed = try model.model(adapterOfSample: names)
            let expected = try #require(tensors[id]).floats
            let bare = try Self.logits(base, ids)
            for mode in [ComputeMode.float32, .bfloat16] {
                var run = try DecoderRun(mixed, mode: mode)
                let width = ids.shape[1]
                let chunks = try names.indices.map { sample in
                    SequenceChunk(
                        Array(ids.integers[sample * width..<(sample + 1) * width]),
                        following: try mixed.makeCache(),
                        sample: sample
                    )
                }
                try run.feed(chunks)
                let logits = try run.logits(0..<ids.integers.count).elements
                if mode == .float32 {
                    #expect(Self.agree(logits, expected), "\(id)")
                } else {
                    #expect(Self.distance(logits, expected, without: bare) < 0.02, "\(id)")
                }
            }
        }
    }

    @Test func adaptersAreAddedFromMemory() throws {
        let base = try LanguageModel(at: GoldenModel.url("bases/llama").path)
        let ids = try #require(try Self.tensors("mixed.safetensors")["input_ids"])
        let module = "model.layers.0.self_attn.q_proj"
        let width = base.config.hiddenSize
        let outputs = base.config.headCount * base.config.headDimension
        func matrix(_ rows: Int, _ columns: Int) -> Matrix {
            Matrix(
                rowCount: rows,
                columnCount: columns,
                elements: (0..<rows * columns).map { Float($0 % 7) / 8 - 0.4 }
            )
        }
        var model = AdaptedModel(base)
        let factors = LoRAAdapter(a: matrix(2, width), b: matrix(outputs, 2), scaling: 0.5)
        try model.add([module: factors], as: "own")
        let bare = try Self.logits(model.model(), ids)
        try model.activate(["own"])
        let adapted = try Self.logits(model.model(), ids)
        #expect(!Self.agree(adapted, bare))
        #expect(Self.agree(try Self.logits(model.merged(), ids), adapted))
        #expect(throws: CheckpointError.self) { try model.add([:], as: "own") }
        #expect(throws: CheckpointError.self) {
            try model.add(["model.layers.99.self_attn.q_proj": factors], as: "other")
        }
        #expect(model.adapterNames == ["own"])
    }

    @Test func mixedBatchesRefuseWhatTheyCannot() throws {
        var model = AdaptedModel(try LanguageModel(at: GoldenModel.url("bases/llama").path))
        for name in ["lora_qv", "replication", "save_head_norm"] {
            try model.load(AdapterFolder(at: GoldenModel.url("adapters/\(name)").path), as: name)
        }
        for name in ["replication", "save_head_norm"] {
            #expect(throws: CheckpointError.self) {
                _ = try model.model(adapterOfSample: ["lora_qv", name])
            }
        }
        #expect(throws: CheckpointError.self) { _ = try model.model(adapterOfSample: ["nobody"]) }
        #expect(throws: CheckpointError.self) { try model.activate(["lora_qv", "replication"]) }
        #expect(throws: CheckpointError.self) { try model.activate(["lora_qv", "lora_qv"]) }
        #expect(model.activeNames.isEmpty)
        #expect(throws: CheckpointError.self) {
            try model.load(
                AdapterFolder(at: GoldenModel.url("adapters/dora_all").path),
                as: "half",
                weight: 0.5
            )
        }
    }

    @Test func newTokensAreAppended() throws {
        let tensors = try Self.tensors("tokens.safetensors")
        let ids = try #require(tensors["input_ids"])
        func matrix(_ name: String) throws -> Matrix {
            let tensor = try #require(tensors[name])
            return Matrix(
                rowCount: tensor.shape[0],
                columnCount: tensor.shape[1],
                elements: tensor.floats
            )
        }
        var base = try LanguageModel(at: GoldenModel.url("bases/llama").path)
        base.appendTokens(try matrix("new_embedding_rows"), headRows: try matrix("new_head_rows"))
        let resized = try #require(tensors["resized_base_logits"])
        #expect(Self.agree(try Self.logits(base, ids), resized.floats))
        var model = AdaptedModel(base)
        try model.load(AdapterFolder(at: GoldenModel.url("tokens/tokens").path), as: "tokens")
        try model.activate(["tokens"])
        let expected = try #require(tensors["tokens.logits"])
        #expect(Self.agree(try Self.logits(model.model(), ids), expected.floats))
        #expect(Self.agree(try Self.logits(model.merged(), ids), expected.floats))
    }

    @Test func severalAdaptersMergeInTheirOrder() throws {
        let tensors = try Self.tensors("lifecycle.safetensors")
        let ids = try #require(tensors["input_ids"])
        let merges = try #require(
            try GoldenModel.object("lifecycle.json")["merge_and_unload"] as? [[String: Any]]
        )
        #expect(merges.count == 6)
        for members in merges {
            let id = try #require(members["id"] as? String)
            // There the reference puts in what was not asked for.
            guard members["library"] == nil else { continue }
            let loaded = try #require(members["loaded"] as? [String])
            var model = AdaptedModel(try LanguageModel(at: GoldenModel.url("bases/llama").path))
            for name in loaded {
                try model.load(
                    AdapterFolder(at: GoldenModel.url("lifecycle/\(name)").path),
                    as: name
                )
            }
            try model.activate(members["adapter_names"] as? [String] ?? [loaded[0]])
            let expected = try #require(tensors["merged.\(id)"])
            #expect(Self.agree(try Self.logits(model.merged(), ids), expected.floats), "\(id)")
            #expect(Self.agree(try Self.logits(model.model(), ids), expected.floats), "\(id)")
        }
    }
}
