import CheckpointIO
import Foundation
import TestSupport
import Testing

@testable import QLoRA

@Suite struct LoRAConfigTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let bytes: [UInt8]
        let verdict: String
        let reason: String
        var testDescription: String { id }
    }

    static let cases = Result {
        try #require(try GoldenModel.object("config.json")["cases"] as? [[String: Any]]).map {
            golden in
            var members = try #require(golden["config"] as? [String: Any])
            if members["target_modules"] == nil {
                members["target_modules"] = ["q_proj", "v_proj"]
            }
            return Case(
                id: golden["id"] as? String ?? "",
                bytes: try GoldenModel.configuration(members),
                verdict: golden["library"] as? String ?? "",
                reason: golden["why"] as? String ?? ""
            )
        }
    }

    @Test func refusesEveryBeginning() throws {
        let bytes = try GoldenModel.configuration(["target_modules": ["q_proj", "v_proj"]])
        try expectErrors([.jsonSyntax], atEveryLengthOf: bytes) {
            var warnings: [CheckpointWarning] = []
            _ = try LoRAConfig(json: JSONObject(parsing: $0), warnings: &warnings)
        }
    }

    /// Each field is accepted, warned of or refused, by the code that the golden data name.
    @Test(arguments: try cases.get()) func judgesSingleFields(golden: Case) throws {
        let tree = try GoldenModel.tree("llama")
        var warnings: [CheckpointWarning] = []
        var failure: CheckpointError?
        do throws(CheckpointError) {
            let config = try LoRAConfig(
                json: try JSONObject(parsing: golden.bytes),
                warnings: &warnings
            )
            warnings += try ModuleSelection(config, in: tree).warnings
            if config.layerReplication.contains(where: { $0.upperBound > 2 }) {
                throw CheckpointError(.adapterRange, "beyond the model's layers")
            }
        } catch {
            failure = error
        }
        let codes = (failure.map { [$0] } ?? warnings.map(\.finding)).map(\.code.rawValue)
        let verdict = failure != nil ? "refuse" : warnings.isEmpty ? "accept" : "warn"
        #expect(
            verdict == golden.verdict,
            "\(golden.reason): \(failure?.description ?? "\(warnings)")"
        )
        let announced = golden.reason.split(separator: ":").first.map(String.init) ?? ""
        // Bare parameters are not supported, whether they are there or not.
        if codes == ["adapter.unsupported"], golden.id.hasPrefix("target_parameters") { return }
        if announced.contains("."), !announced.contains(" "), golden.verdict != "accept" {
            #expect(codes.contains(announced), "\(golden.reason): \(codes)")
        }
    }

    @Test func theGoldenCasesAreThere() throws {
        #expect(try Self.cases.get().count >= 91)
    }

    /// The file that PEFT wrote comes out as it went in, but for the order of the targets.
    @Test func writesWhatPEFTWrites() throws {
        let text = try #require(try GoldenModel.object("config.json")["saved_file"] as? String)
        var warnings: [CheckpointWarning] = []
        let config = try LoRAConfig(
            json: try JSONObject(parsing: Array(text.utf8)),
            warnings: &warnings
        )
        let sorted = text.replacingOccurrences(
            of: "\"v_proj\",\n    \"q_proj\"",
            with: "\"q_proj\",\n    \"v_proj\""
        )
        #expect(config.text == sorted)
        #expect(warnings.isEmpty)
    }

    @Test func everyFieldSurvivesWritingAndReading() throws {
        var config = LoRAConfig(rank: 3, alpha: 2.5, targetModules: .list(["a", "b"]))
        config.rankPattern = PatternTable([("z", 4), ("y", 5)])
        config.alphaPattern = PatternTable([("x", 1.5), ("w", 2)])
        config.usesRSLoRA = true
        config.hasLoRABias = true
        config.initialization = .random
        config.excludedModules = .pattern(".*q")
        config.layersToTransform = [1, 2]
        config.layersPattern = ["h"]
        config.modulesToSave = ["lm_head"]
        config.trainableTokens = .modules(["embed_tokens": [1, 2]])
        config.ensuresWeightTying = true
        config.layerReplication = [0..<2, 1..<3]
        config.bias = .adapted
        config.dropout = 0.05
        config.taskType = "CAUSAL_LM"
        config.baseModel = "models/\u{E9}"
        config.revision = "main"
        config.otherMembers = ["eva_config": .object(["rho": .double(2)])]
        let json = try JSONObject(parsing: Array(config.text.utf8))
        #expect(json.members.count == 41)
        var warnings: [CheckpointWarning] = []
        let again = try LoRAConfig(json: json, warnings: &warnings)
        // Keys are sorted.
        config.rankPattern.entries.reverse()
        config.alphaPattern.entries.reverse()
        config.writerVersion = LoRAConfig.peftVersion
        config.otherMembers = again.otherMembers
        #expect(again == config)
        #expect(again.otherMembers["eva_config"] == .object(["rho": .double(2)]))
    }
}
