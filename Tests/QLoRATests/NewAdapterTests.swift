import CheckpointIO
import Foundation
import Models
import QLoRA
import TestSupport
import Tensors
import Testing

/// Adapters that are made for a model in memory: they change nothing as yet, and what is saved of them is
/// what was made.
@Suite struct NewAdapterTests {
    /// A configuration, by what is special about it, and the base that it is for.
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let base: String
        let config: LoRAConfig
        var testDescription: String { name }

        init(
            _ name: String,
            base: String = "bases/llama",
            targets: [String] = ["q_proj", "v_proj"],
            _ change: (inout LoRAConfig) -> Void = { _ in }
        ) {
            self.name = name
            self.base = base
            var config = LoRAConfig(rank: 4, alpha: 8, targetModules: .list(targets))
            change(&config)
            self.config = config
        }
    }

    static let cases: [Case] = [
        Case("plain"),
        Case("all linear layers") { $0.targetModules = .allLinear },
        Case("rank pattern") { $0.rankPattern = PatternTable([("v_proj", 2)]) },
        Case("bias on B") { $0.hasLoRABias = true },
        Case("DoRA") { $0.usesDoRA = true },
        Case("embedding", targets: ["embed_tokens", "q_proj"]),
        Case("embedding, DoRA", targets: ["embed_tokens"]) { $0.usesDoRA = true },
        Case("whole modules") { $0.modulesToSave = ["lm_head", "norm"] },
        Case("rows of tokens") { $0.trainableTokens = .inputEmbedding([3, 1]) },
        Case("stacked layers") { $0.layerReplication = [0..<2, 1..<2] },
        Case("tied embedding", base: "models/llama_biases_tied", targets: ["embed_tokens"]) {
            $0.ensuresWeightTying = true
        },
        Case("tied modules", base: "models/llama_biases_tied") {
            $0.modulesToSave = ["embed_tokens"]
            $0.ensuresWeightTying = true
        },
        Case("rows of a tied table", base: "models/llama_biases_tied") {
            $0.trainableTokens = .inputEmbedding([2, 7])
        },
        Case("biases", base: "models/qwen2") { $0.bias = .all },
        Case("biases of adapted modules", base: "models/qwen2") { $0.bias = .adapted },
    ]

    private static let tokens = [1, 5, 3, 9, 2]

    private static func logits(_ model: LanguageModel) throws -> [Float] {
        try model.logits(of: tokens, mode: .float32).elements
    }

    private static func base(_ name: String) throws -> LanguageModel {
        let url = name.hasPrefix("models") ? try Golden.url(name) : try GoldenModel.url(name)
        return try LanguageModel(at: url.path)
    }

    @Test(arguments: cases) func changeNothingAndAreSavedAsTheyAre(item: Case) throws {
        let base = try Self.base(item.base)
        var model = AdaptedModel(base)
        try model.add("new", item.config, seed: 5)
        #expect(model.activeNames.isEmpty && model.trainableNames == ["new"])
        try model.activate(["new"])
        let fresh = try Self.logits(model.model())
        if item.config.layerReplication.isEmpty {
            let bare = try Self.logits(base)
            // A magnitude divided by the norm that it is equal to may miss 1 by a rounding.
            let bound: Float = item.config.usesDoRA ? 1e-5 : 0
            #expect(zip(fresh, bare).allSatisfy { ($0 - $1).magnitude <= bound })
        }
        // Something that a step of training might do.
        let modules = try model.factors(of: "new").keys.sorted()
        for (index, module) in modules.enumerated() {
            try model.update("new", in: module) { adapter in
                let count = adapter.b.elements.count
                let values = (0..<count).map { Float(($0 * 7 + index) % 13 - 6) / 50 }
                adapter = LoRAAdapter(
                    a: module.hasSuffix("embed_tokens")
                        ? Matrix(
                            rowCount: adapter.a.rowCount,
                            columnCount: adapter.a.columnCount,
                            elements: adapter.a.elements.indices.map { Float($0 % 5) / 10 }
                        ) : adapter.a,
                    b: Matrix(
                        rowCount: adapter.b.rowCount,
                        columnCount: adapter.b.columnCount,
                        elements: values
                    ),
                    bias: adapter.bias.map { $0.map { _ in 0.25 } },
                    magnitude: adapter.magnitude,
                    scaling: adapter.scaling
                )
            }
        }
        let trained = try Self.logits(model.model())
        #expect(trained != fresh)
        let folder = try TemporaryFolder()
        let path = folder.path + "/adapter"
        try model.contents(of: "new").write(to: path)
        var again = AdaptedModel(base)
        try again.load(AdapterFolder(at: path), as: "saved")
        try again.activate(["saved"])
        #expect(try Self.logits(again.model()) == trained)
        #expect(again.trainableNames.isEmpty)
    }

    @Test func whatCannotBeMadeIsRefusedAndChangesNothing() throws {
        var model = AdaptedModel(try Self.base("bases/llama"))
        func code(
            _ change: (inout LoRAConfig) -> Void,
            _ initializer: any AdapterInitializer = RandomInitializer()
        ) -> CheckpointError.Code? {
            var config = LoRAConfig(rank: 4, targetModules: .list(["q_proj"]))
            change(&config)
            do throws(CheckpointError) {
                try model.add("bad", config, initializer: initializer)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code { $0.rank = 0 } == .adapterRange)
        #expect(code { $0.targetModules = .list(["zzz"]) } == .adapterNoTarget)
        #expect(code { $0.modulesToSave = ["zzz"] } == .adapterNoTarget)
        #expect(code { $0.trainableTokens = .inputEmbedding([1 << 20]) } == .adapterRange)
        #expect(code { $0.layerReplication = [0..<99] } == .adapterRange)
        #expect(code({ _ in }, PiSSA()) == .adapterUnsupported)
        let embedding: (inout LoRAConfig) -> Void = { $0.targetModules = .list(["embed_tokens"]) }
        #expect(code(embedding, RandomInitializer(.orthogonal)) == .adapterUnsupported)
        #expect(model.adapterNames.isEmpty && model.trainableNames.isEmpty)
        try model.add(["model.layers.0.self_attn.q_proj": LoRAAdapter.zero], as: "loose")
        #expect(throws: CheckpointError.self) { try model.contents(of: "loose") }
        #expect(throws: CheckpointError.self) {
            try model.update("loose", in: "model.layers.1.self_attn.q_proj") { _ in }
        }
    }
}

extension LoRAAdapter {
    fileprivate static var zero: LoRAAdapter {
        LoRAAdapter(
            a: Matrix(rowCount: 1, columnCount: 64),
            b: Matrix(rowCount: 64, columnCount: 1),
            scaling: 1
        )
    }
}
