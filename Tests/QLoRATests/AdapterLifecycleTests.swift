import CheckpointIO
import Foundation
import Models
import TestSupport
import Tensors
import Testing

@testable import QLoRA

/// Adapters of a model that are loaded, switched, merged and removed, step by step beside PEFT.
@Suite struct AdapterLifecycleTests {
    /// Where a script stands: what PEFT keeps in the model and we in values.
    private struct Stage {
        var model: AdaptedModel
        /// Adapters that are merged, in the order of merging.
        var merged: [String] = []
        var disabledScopes = 0

        /// The model that a forward pass would run now.
        func current() throws -> LanguageModel {
            guard disabledScopes == 0 else { return model.base }
            guard !merged.isEmpty else { return try model.model() }
            var model = model
            try model.activate(merged)
            return try model.merged()
        }

        mutating func perform(_ words: [Any], first: String) throws {
            let operation = try #require(words.first as? String)
            let name = words.dropFirst().first as? String
            let names = words.dropFirst().first as? [String]
            switch operation {
            case "load":
                let name = try #require(name)
                let isTrainable = words.last as? String == "trainable"
                try model.load(Self.folder(name), as: name, isTrainable: isTrainable)
                if name == first { try model.activate([name]) }
            case "add":
                let fields = try #require(words.last as? [String: Any])
                try model.add(#require(name), Self.config(fields), isTrainable: false)
            case "set":
                try model.activate([#require(name)])
                merged = []
            case "set_several":
                try model.activate(#require(names))
            case "disable":
                disabledScopes += 1
            case "end_disable":
                disabledScopes -= 1
            case "merge":
                let added = (names ?? model.activeNames).filter { !merged.contains($0) }
                var all = model
                try all.activate(merged + added)
                merged += added
            case "unmerge":
                merged = []
            case "delete":
                try model.remove(#require(name))
            case "scale":
                let active = model.activeNames
                let name = try #require(name)
                let weight = try #require(words.last as? NSNumber).doubleValue
                try model.remove(name)
                try model.load(Self.folder(name), as: name, weight: weight)
                try model.activate(active)
            default:
                Issue.record("an operation without a meaning: \(operation)")
            }
        }

        private static func config(_ fields: [String: Any]) throws -> LoRAConfig {
            var config = LoRAConfig(
                rank: fields["r"] as? Int ?? 8,
                targetModules: (fields["target_modules"] as? [String]).map { .list($0) }
            )
            if let bias = fields["bias"] as? String {
                config.bias = try #require(LoRAConfig.BiasMode(rawValue: bias))
            }
            return config
        }

        /// The tensors of each active adapter that training changes.
        func trainableTensorCounts() throws -> [String: Int] {
            guard disabledScopes == 0 else { return [:] }
            let names = model.activeNames.filter { model.trainableNames.contains($0) }
            return try Dictionary(
                uniqueKeysWithValues: names.map { name in
                    let factors = try model.factors(of: name).values
                    return (name, factors.reduce(0) { $0 + ($1.magnitude == nil ? 2 : 3) })
                }
            )
        }

        private static func folder(_ name: String) throws -> AdapterFolder {
            try AdapterFolder(at: GoldenModel.url("lifecycle/\(name)").path)
        }
    }

    /// Steps where we deliberately do something else, by script and number: the state of the golden data
    /// that ours has there, or nil for one that PEFT never reaches.
    private static let deviations: [String: String] = [
        // PEFT runs the bare base under a name that nobody has, and adds one that stands twice twice.
        "activate 9": "state6", "activate 11": "state0",
        // After the last active adapter is gone nothing is active; PEFT activates another one.
        "delete 5": "state0", "delete 6": "state0", "delete 7": "state0",
        // A merged adapter alone; in PEFT others that are active still apply in layers that it has not.
        "merge_several 8": "state3",
        // What was merged before a scope without adapters is merged behind it.
        "merge_then_disable 3": "state8",
    ]
    /// Steps that we refuse; each leaves all as it was.
    private static let refusals: Set<String> = [
        "activate 8", "activate 9", "activate 11", "merge 5", "delete 6", "saved_modules 6",
        "add 2", "add 3", "add 4", "add 6",
    ]

    @Test(arguments: [
        "activate", "disable", "merge", "merge_several", "merge_then_set", "merge_then_disable",
        "delete", "saved_modules", "scale", "inference", "add", "trainable",
    ])
    func everyStepLeavesTheStateThatItShould(script id: String) throws {
        let tensors = try Golden.tensors(at: GoldenModel.url("lifecycle.safetensors"))
        let tokens = try #require(tensors["input_ids"]).integers
        let scripts = try #require(
            try GoldenModel.object("lifecycle.json")["scripts"] as? [[String: Any]]
        )
        let script = try #require(scripts.first { $0["id"] as? String == id })
        let first = try #require(script["first"] as? String)
        let steps = try #require(script["steps"] as? [[String: Any]])
        let base = try LanguageModel(at: GoldenModel.url("bases/llama").path)
        var stage = Stage(model: AdaptedModel(base))
        var unmerged: [[String]: [Float]] = [:]
        for (number, step) in steps.enumerated() {
            let place = "\(id) \(number)"
            let words = try #require(step["op"] as? [Any])
            if Self.refusals.contains(place) {
                #expect(throws: CheckpointError.self, "\(place)") {
                    try stage.perform(words, first: first)
                }
            } else if id == "merge", words.first as? String == "delete" {
                // A merged model is a value of its own here: what it was made of may go.
                continue
            } else {
                try stage.perform(words, first: first)
            }
            let deviation = Self.deviations[place]
            if deviation == nil {
                #expect(stage.model.adapterNames == step["adapters"] as? [String], "\(place)")
                #expect(stage.model.activeNames == step["active"] as? [String], "\(place)")
                #expect(
                    stage.disabledScopes > 0 || stage.merged == step["merged"] as? [String],
                    "\(place)"
                )
            }
            // In PEFT activating makes an adapter trainable or, for inference, not; here it changes neither.
            if ["add", "trainable", "activate"].contains(id), deviation == nil,
                words.last as? String != "inference"
            {
                let counts = try #require(step["trainable_tensors"] as? [String: Int])
                for (name, count) in try stage.trainableTensorCounts() {
                    #expect(counts[name] == count, "\(place), \(name)")
                }
                let loaded = steps.compactMap { $0["op"] as? [Any] }
                    .filter { $0.last as? String == "trainable" }
                    .compactMap { $0[1] as? String }
                #expect(stage.model.trainableNames.isSubset(of: loaded), "\(place)")
            }
            let state = try #require(deviation ?? step["logits"] as? String, "\(place)")
            let expected = try #require(tensors[state]).floats
            let found = try stage.current().logits(of: tokens, mode: .float32).elements
            let bound = 2e-5 * expected.reduce(0) { max($0, $1.magnitude) } + 2e-6
            let error = zip(found, expected).reduce(0) { max($0, ($1.0 - $1.1).magnitude) }
            #expect(found.count == expected.count && error <= bound, "\(place): \(error)")
            // Unlike PEFT's weights, ours do not drift: what was there before a merge is there after it.
            if stage.merged.isEmpty, stage.disabledScopes == 0, id != "scale" {
                let before = unmerged.updateValue(found, forKey: stage.model.activeNames)
                #expect(before == nil || before == found, "\(place)")
            }
        }
    }
}
