import CheckpointIO
import Foundation

/// Small models with random weights, in the names under which such models are published.
public struct TestModel {
    /// `config.json`.
    public var config: JSONObject
    private var tensors: [(name: String, shape: [Int])] = []
    private var raw: [(name: String, dtype: String, shape: [Int], bytes: [UInt8])] = []

    /// Makes a model without tensors.
    public init(_ architecture: String, type: String, _ members: JSONObject = [:]) {
        config = ["architectures": .array([.string(architecture)]), "model_type": .string(type)]
        for member in members.members { config[member.key] = member.value }
    }

    /// Adds float32 weights.
    public mutating func add(_ name: String, _ shape: Int...) {
        tensors.append((name, shape))
    }

    /// Adds a tensor of any type.
    public mutating func add(_ name: String, _ dtype: String, _ shape: [Int], _ bytes: [UInt8]) {
        raw.append((name, dtype, shape, bytes))
    }

    /// Writes `config.json` and `model.safetensors` into a new folder.
    public func write(to folder: URL) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var file = SafetensorsBytes()
        for (index, tensor) in tensors.enumerated() {
            file.addFloats(tensor.name, tensor.shape, seed: UInt64(index))
        }
        for tensor in raw { file.add(tensor.name, tensor.dtype, tensor.shape, tensor.bytes) }
        try Data(file.bytes).write(to: folder.appendingPathComponent("model.safetensors"))
        try Data(config.text(.indented).utf8).write(
            to: folder.appendingPathComponent("config.json")
        )
    }

    /// The decoder of a llama of two layers, 64 channels wide, without its output head.
    public static func llama(
        _ architecture: String = "LlamaForCausalLM",
        type: String = "llama",
        prefix: String = "model.",
        _ members: JSONObject = [:]
    ) -> TestModel {
        var all: JSONObject = [
            "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 128,
            "max_position_embeddings": 128, "rms_norm_eps": .double(1e-5), "hidden_act": "silu",
            "head_dim": 32,
        ]
        for member in members.members { all[member.key] = member.value }
        var model = TestModel(architecture, type: type, all)
        model.addDecoder(prefix, hasHeadNorms: type == "qwen3")
        return model
    }

    /// Adds the tensors of that decoder.
    public mutating func addDecoder(_ prefix: String, hasHeadNorms: Bool = false) {
        add(prefix + "embed_tokens.weight", 128, 64)
        for layer in 0..<2 {
            let block = prefix + "layers.\(layer)."
            for (name, rows) in [("q_proj", 64), ("k_proj", 32), ("v_proj", 32), ("o_proj", 64)] {
                add("\(block)self_attn.\(name).weight", rows, 64)
            }
            add(block + "mlp.gate_proj.weight", 128, 64)
            add(block + "mlp.up_proj.weight", 128, 64)
            add(block + "mlp.down_proj.weight", 64, 128)
            add(block + "input_layernorm.weight", 64)
            add(block + "post_attention_layernorm.weight", 64)
            if hasHeadNorms {
                add(block + "self_attn.q_norm.weight", 32)
                add(block + "self_attn.k_norm.weight", 32)
            }
        }
        add(prefix + "norm.weight", 64)
    }
}
