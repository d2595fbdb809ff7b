import Foundation
import TestSupport
import Testing

@testable import QLoRA

/// The golden data of adapters on whole models, made by PEFT; or the folder of the same form that
/// `QLORA_GOLDEN_MODEL` names.
enum GoldenModel {
    static func url(_ name: String) throws -> URL {
        try ProcessInfo.processInfo.environment["QLORA_GOLDEN_MODEL"]
            .map { URL(fileURLWithPath: $0).appendingPathComponent(name) }
            ?? Golden.url("peft/model/\(name)")
    }

    static func object(_ name: String) throws -> [String: Any] {
        let json = try JSONSerialization.jsonObject(with: Data(contentsOf: url(name)))
        return try #require(json as? [String: Any])
    }

    /// A model of `selection.json`.
    static func tree(_ name: String) throws -> ModuleTree {
        let models = try #require(
            try object("selection.json")["models"] as? [String: [String: Any]]
        )
        let model = try #require(models[name], "\(name)")
        let modules = try #require(model["modules"] as? [[Any]]).map { fields in
            let (name, type) = (fields[0] as? String ?? "", fields[1] as? String ?? "")
            let kind: ModuleTree.Kind =
                switch type {
                case "Linear": .linear
                case "Conv1D": .convolution1D
                case "Embedding": .embedding
                default: .other(type)
                }
            return ModuleTree.Module(
                name,
                kind,
                shape: fields.count > 2 ? fields[2] as? [Int] ?? [] : []
            )
        }
        return ModuleTree(
            modules,
            inputEmbedding: modules.first { $0.kind == .embedding }?.name,
            outputHead: model["all_linear_leaves_out"] as? String,
            modelType: model["model_type"] as? String
        )
    }

    /// Bytes of a JSON object of these members, the fields of a fresh configuration otherwise.
    static func configuration(_ members: [String: Any]) throws -> [UInt8] {
        let golden = try object("config.json")
        var json = try #require(golden["fields_and_defaults"] as? [String: Any])
        json.merge(["r": 4, "lora_alpha": 8, "task_type": "CAUSAL_LM"]) { $1 }
        json.merge(members) { $1 }
        return [UInt8](try JSONSerialization.data(withJSONObject: json))
    }
}
