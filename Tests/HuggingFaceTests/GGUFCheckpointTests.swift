import TestSupport
import Testing

@testable import Files
@testable import HuggingFace

@Suite("GGUF files as checkpoints")
struct GGUFCheckpointTests {
    @Test("a file opens by its path, and a folder that holds only it")
    func opensFilesAndFolders() throws {
        let folder = try TemporaryFolder()
        var writer = GGUFWriter.tinyLlama()
        try folder.write("tiny.gguf", writer.bytes())
        for path in [folder("tiny.gguf"), folder.path] {
            let checkpoint = try Checkpoint(at: path)
            #expect(checkpoint.container == .gguf)
            #expect(checkpoint.model?.architecture == .llama)
            #expect(checkpoint.tensors.count == 11)
            #expect(checkpoint["model.layers.0.self_attn.q_proj.weight"] != nil)
            #expect(checkpoint.companions.contains { $0.name == "tokenizer.json" })
            #expect(checkpoint.warnings.isEmpty)
            try checkpoint.checkUnchanged()
        }
    }

    @Test("models of every known family are whole", arguments: GGUFArchitecture.allCases)
    func validatesEveryFamily(architecture: GGUFArchitecture) throws {
        var writer = family(architecture)
        let checkpoint = try open(&writer)
        #expect(checkpoint.model?.architecture.rawValue == architecture.modelClass)
        let names = checkpoint.tensors.map(\.description.name)
        #expect(Set(names).count == writer.tensors.count)
        for module in try #require(checkpoint.model).modules {
            #expect(names.contains(module.weightName), "\(module.weightName)")
        }
    }

    @Test("a Qwen 2 without its biases is refused")
    func refusesMissingBiases() throws {
        var writer = family(.qwen2)
        writer.tensors.removeAll { $0.name == "blk.0.attn_k.bias" }
        let error = #expect(throws: CheckpointError.self) { try open(&writer) }
        #expect(error?.code == .modelTensorMissing)
        #expect(error?.tensor == "model.layers.0.self_attn.k_proj.bias")
    }

    private func open(_ writer: inout GGUFWriter) throws -> Checkpoint {
        let contents = try CheckpointContents(
            gguf: BytesInMemory(writer.bytes(), fileName: "t.gguf"),
            options: .init()
        )
        return try Checkpoint(contents: contents, options: .init())
    }

    /// A sound little model of a family.
    private func family(_ architecture: GGUFArchitecture) -> GGUFWriter {
        if architecture == .gemma2 { return .tinyGemma() }
        var writer = GGUFWriter.tinyLlama()
        writer.rename(architecture.rawValue)
        switch architecture {
        case .llama, .gemma2: break
        case .qwen2:
            writer.add("blk.0.attn_q.bias", [16])
            writer.add("blk.0.attn_k.bias", [8])
            writer.add("blk.0.attn_v.bias", [8])
        case .qwen3:
            writer.add("blk.0.attn_q_norm.weight", [8])
            writer.add("blk.0.attn_k_norm.weight", [8])
        case .phi3:
            let fused = ["attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up"]
            writer.tensors.removeAll { tensor in fused.contains { tensor.name.contains("\($0).") } }
            writer.add("blk.0.attn_qkv.weight", [16, 32])
            writer.add("blk.0.ffn_up.weight", [16, 48])
        }
        return writer
    }
}
