import CheckpointIO
import Foundation
import TestSupport
import Tensors
import Testing

@testable import QLoRA

@Suite struct MLXAdapterTests {
    private static func golden(_ name: String) throws -> AdapterFolder {
        try AdapterFolder(at: GoldenModel.url("adapters/\(name)").path)
    }

    @Test(arguments: ["lora_all", "dora_all"]) func goesThereAndBackWithTheSameBits(name: String)
        throws
    {
        let folder = try TemporaryFolder()
        let source = try Self.golden(name)
        try MLXAdapter.write(source, to: folder("mlx"))
        let again = try MLXAdapter.read(at: folder("mlx"))
        let expected = try AdapterFactors.byModule(source)
        #expect(again.layers.count == expected.count)
        for layer in again.layers {
            let other = try #require(expected[layer.module])
            #expect(layer.adapter.a == other.a && layer.adapter.b == other.b)
            #expect(layer.adapter.magnitude == other.magnitude)
            #expect(layer.adapter.scaling == other.scaling)
        }
        #expect(again.config.usesDoRA == source.config.usesDoRA)
        try again.write(to: folder("peft"))
        let tree = try ModuleTree(try Checkpoint(at: GoldenModel.url("bases/llama").path))
        #expect(
            try AdapterFolder(at: folder("peft")).bound(to: tree).layers.count == expected.count
        )
    }

    /// `y = x W ᵀ + scale · (x · lora_a) · lora_b`: both factors lie transposed to PEFT's.
    @Test func writesWhatMLXReads() throws {
        let folder = try TemporaryFolder()
        try MLXAdapter.write(try Self.golden("lora_all"), to: folder("mlx"))
        let json = try JSONObject(parsing: try folder.bytes("mlx/adapter_config.json"))
        #expect(try json.string("fine_tune_type") == "lora" && json.integer("num_layers") == -1)
        let parameters = try json.object("lora_parameters")
        #expect(try parameters.integer("rank") == 4 && parameters.double("scale") == 2)
        #expect(try parameters.optionalStrings("keys")?.contains("self_attn.q_proj") == true)
        let file = try SafetensorsFile(at: folder("mlx/adapters.safetensors"))
        let shapes = Dictionary(
            uniqueKeysWithValues: file.tensors.map { ($0.description.name, $0.description.shape) }
        )
        #expect(shapes["model.layers.0.mlp.down_proj.lora_a"] == [128, 4])
        #expect(shapes["model.layers.0.mlp.down_proj.lora_b"] == [4, 64])
    }

    @Test(arguments: ["patterns", "save_head_norm", "embedding", "tokens", "lora_bias", "head"])
    func refusesWhatTheLayoutCannotHold(name: String) throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: CheckpointError.self) {
            try MLXAdapter.write(try Self.golden(name), to: folder("mlx"))
        }
        #expect(error?.code == .adapterUnsupported)
        #expect(try folder.listing().isEmpty)
    }

    @Test func refusesFoldersThatAreNoSuchAdapters() throws {
        let folder = try TemporaryFolder()
        let faults: [(String, CheckpointError.Code)] = [
            ("{\"fine_tune_type\": \"full\"}", .adapterUnsupported),
            ("{}", .jsonMissingKey),
            ("{\"lora_parameters\": {\"rank\": 0, \"scale\": 1.0}}", .adapterRange),
            (
                "{\"lora_parameters\": {\"rank\": 2, \"scale\": 1.0, \"dropout\": 2.0}}",
                .adapterRange
            ),
            ("{\"lora_parameters\": {\"rank\": 2, \"scale\": 1.0}}", .fileMissing),
        ]
        for (text, code) in faults {
            try folder.write("adapter_config.json", Array(text.utf8))
            let error = #expect(throws: CheckpointError.self) {
                try MLXAdapter.read(at: folder.path)
            }
            #expect(error?.code == code, "\(text)")
        }
    }
}
