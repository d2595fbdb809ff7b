import CheckpointIO
import Foundation
import TestSupport
import Testing

@testable import QLoRA

/// What PEFT saved, read and written again: the same bytes, so PEFT loads what this package writes.
@Suite struct AdapterWritingTests {
    static let folders = Result {
        try #require(try GoldenModel.object("adapters.json")["cases"] as? [[String: Any]])
            .compactMap { $0["dir"] as? String }.filter { $0 != "adapters/two" }
    }

    @Test(arguments: try folders.get()) func writesTheBytesThatPEFTWrote(folder: String) throws {
        let scratch = try TemporaryFolder()
        let source = try GoldenModel.url(folder)
        let opened = try AdapterFolder(at: source.path)
        let factors = try AdapterFactors.read(opened)
        try AdapterContents(
            opened.config,
            layers: factors.layers,
            otherTensors: factors.otherTensors,
            dtype: factors.dtype
        ).write(to: scratch("again"))
        let weights = try Data(
            contentsOf: source.appendingPathComponent("adapter_model.safetensors")
        )
        #expect(try scratch.bytes("again/adapter_model.safetensors") == [UInt8](weights))
        // Lists of modules have no order there; pattern tables are sorted there as well.
        let config = try Data(contentsOf: source.appendingPathComponent("adapter_config.json"))
        var (own, theirs) = try (
            JSONObject(parsing: scratch.bytes("again/adapter_config.json")),
            JSONObject(parsing: [UInt8](config))
        )
        for key: Name in [
            "target_modules", "exclude_modules", "layers_to_transform", "modules_to_save",
        ] {
            for place in [\Pair.own, \Pair.theirs] {
                var pair = Pair(own: own, theirs: theirs)
                if case .array(let elements)? = pair[keyPath: place][key] {
                    pair[keyPath: place][key] = .array(elements.sorted { $0.text() < $1.text() })
                }
                (own, theirs) = (pair.own, pair.theirs)
            }
        }
        #expect(own.text(.indentedAndSorted) == theirs.text(.indentedAndSorted))
    }

    private struct Pair {
        var own: JSONObject
        var theirs: JSONObject
    }

    @Test func theGoldenFoldersAreThere() throws { #expect(try Self.folders.get().count >= 32) }

    /// `alpha / r` or `alpha / √r`, by patterns, in double precision.
    @Test func scalingsAreThoseOfTheTable() throws {
        // Foundation loses the order of patterns, and the last bits of numbers.
        let golden = try JSONObject(parsing: LayerCase.bytes("linear"))
        for case .object(let entry) in try golden.array("scaling_table") {
            let modules = try entry.object("modules")
            var json = try entry.object("config")
            json["peft_type"] = "LORA"
            json["target_modules"] = .array(modules.members.map { .string($0.key.text) })
            var warnings: [CheckpointWarning] = []
            let config = try LoRAConfig(json: json, warnings: &warnings)
            let tree = ModuleTree(modules.members.map { ModuleTree.Module($0.key.text, .linear) })
            let targets = try ModuleSelection(config, in: tree).targets
            #expect(targets.count == modules.members.count)
            for target in targets {
                let expected = try modules.object(Name(target.module.name)).double("scaling")
                #expect(target.scaling == expected, "\(target.module.name)")
            }
        }
    }
}
