import CheckpointIO
import Foundation
import TestSupport
import Testing

@testable import QLoRA

@Suite struct ModuleSelectionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let model: String
        let bytes: [UInt8]
        let error: String?
        let targets: [String]
        /// Rank, alpha and scaling of each target.
        let numbers: [[Double]]
        let savedTargets: LoRAConfig.ModuleNames?
        var testDescription: String { id }
    }

    static let cases = Result {
        let golden = try GoldenModel.object("selection.json")
        // The cases are in the order of their patterns' keys, which Foundation loses.
        let text = try [UInt8](Data(contentsOf: GoldenModel.url("selection.json")))
        let ordered = try JSONObject(parsing: text).array("cases")
        return try zip(try #require(golden["cases"] as? [[String: Any]]), ordered).map {
            golden,
            ordered in
            guard case .object(let object) = ordered else {
                throw CheckpointError(.jsonType, "case")
            }
            var json = JSONObject([
                ("peft_type", .string("LORA")), ("r", .integer(4)), ("lora_alpha", .integer(8)),
            ])
            for member in try object.object("config").members where member.key != "task_type" {
                json[member.key] = member.value
            }
            let matched = golden["matched"] as? [Any] ?? []
            let shared = golden["rank_alpha_scaling"] as? [Double]
            let saved: LoRAConfig.ModuleNames? =
                if let names = golden["saved_target_modules"] as? [String] {
                    .list(names.sorted())
                } else { (golden["saved_target_modules"] as? String).map { .pattern($0) } }
            return Case(
                id: golden["id"] as? String ?? "",
                model: golden["model"] as? String ?? "",
                bytes: Array(json.text().utf8),
                error: golden["error"] as? String,
                targets: matched.compactMap { $0 as? String ?? ($0 as? [Any])?.first as? String },
                numbers: matched.compactMap { entry in
                    shared ?? (entry as? [Any])?.dropFirst().compactMap { $0 as? Double }
                },
                savedTargets: saved
            )
        }
    }

    @Test(arguments: try cases.get()) func selectsAsPEFT(golden: Case) throws {
        let tree = try GoldenModel.tree(golden.model)
        var warnings: [CheckpointWarning] = []
        var selection: ModuleSelection?
        var failure: CheckpointError?
        do throws(CheckpointError) {
            let config = try LoRAConfig(
                json: try JSONObject(parsing: golden.bytes),
                warnings: &warnings
            )
            selection = try ModuleSelection(config, in: tree)
        } catch {
            failure = error
        }
        guard golden.error == nil else {
            #expect(failure != nil, "\(golden.error ?? "")")
            return
        }
        let found = try #require(selection, "\(failure?.description ?? "")")
        #expect(found.targets.map(\.module.name) == golden.targets)
        #expect(golden.numbers.count == found.targets.count)
        for (target, numbers) in zip(found.targets, golden.numbers) {
            #expect(Double(target.rank) == numbers[0] && target.alpha == numbers[1])
            #expect(abs(target.scaling - numbers[2]) <= numbers[2].magnitude.ulp)
        }
        if let saved = golden.savedTargets {
            if case .list(let names) = found.targetModules {
                #expect(.list(names.sorted()) == saved)
            } else {
                #expect(found.targetModules == saved)
            }
        }
    }

    @Test func theGoldenCasesAreThere() throws {
        #expect(try Self.cases.get().count >= 119)
    }

    @Test func suggestsNamesWhereNothingFits() throws {
        let config = LoRAConfig(targetModules: .list(["q_porj"]))
        let error = #expect(throws: CheckpointError.self) {
            try ModuleSelection(config, in: try GoldenModel.tree("llama"))
        }
        #expect(error?.code == .adapterNoTarget)
        #expect(error?.hint?.contains("q_proj") == true)
    }

    /// PEFT writes keys sorted and takes the first that fits: overlapping ones change their meaning.
    @Test func tablesKeepTheirMeaningWhenTheirKeysAreSorted() throws {
        let tree = try GoldenModel.tree("llama")
        var config = LoRAConfig(rank: 8, alpha: 8, targetModules: .list(["q_proj", "v_proj"]))
        config.alphaPattern = PatternTable([("self_attn.q_proj", 3), ("q_proj", 24)])
        config.rankPattern = PatternTable([("self_attn.q_proj", 2), ("q_proj", 6)])
        let selection = try ModuleSelection(config, in: tree)
        var written = try selection.withTablesInAnyOrder(config)
        for _ in 0..<2 {
            #expect(try ModuleSelection(written, in: tree).targets == selection.targets)
            written.rankPattern.entries.reverse()
            written.alphaPattern.entries.reverse()
        }
        // What does not overlap stays as it is written.
        config.rankPattern = PatternTable([("v_proj", 2), ("q_proj", 6)])
        config.alphaPattern = PatternTable()
        let simple = try ModuleSelection(config, in: tree).withTablesInAnyOrder(config)
        #expect(simple.rankPattern.entries.map(\.key) == ["q_proj", "v_proj"])
    }
}
