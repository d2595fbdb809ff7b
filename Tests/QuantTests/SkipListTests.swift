import CheckpointIO
import Testing

@testable import Quant

/// The modules that a loader is told to leave alone, as transformers matches them.
@Suite struct SkipListTests {
    /// `should_convert_module` of transformers 5.23, without its regular expressions.
    private func isSkipped(_ module: String, _ entries: [String]) -> Bool {
        entries.contains {
            module == $0 || module.hasPrefix($0 + ".") || module.hasSuffix($0)
        }
    }

    @Test func defaultsNeedNoList() {
        let list = SkipList.modules(kept: ["lm_head"], quantized: ["a.q"], heads: ["lm_head"])
        #expect(list == nil)
    }

    @Test func knownArchitecturesUseLastComponentsOrWholeNames() {
        let list = SkipList.modules(
            kept: ["m.0.down", "m.1.down", "m.0.q"],
            quantized: ["m.1.q", "m.0.v"],
            heads: ["lm_head"]
        )
        #expect(list == ["lm_head", "down", "m.0.q"])
    }

    @Test func endingsMeanTheKeptModulesUnderAnyPrefix() {
        let tower = (0..<12).map {
            "vision_tower.vision_model.encoder.layers.\($0).self_attn.q_proj"
        }
        let kept =
            ["embeddings.word_embeddings", "x.proj", "classifier", "blocks.1.fc", "a.b.dense"]
            + tower
        let quantized =
            [
                "language_model.model.layers.0.self_attn.q_proj", "x.q_proj", "blocks.11.fc",
                "b.dense2",
            ]
            + ["layers.0.out.dense", "lm_head.dense"]
        let list = SkipList.modulesByEnding(
            kept: kept.map { Name($0) },
            quantized: quantized.map { Name($0) }
        )
        for module in quantized { #expect(!isSkipped(module, list), "\(module): \(list)") }
        for module in kept { #expect(isSkipped(module, list), "\(module)") }
        for layer in 0..<12 {
            // What transformers 5 calls them.
            let renamed = "model.vision_tower.encoder.layers.\(layer).self_attn.q_proj"
            #expect(isSkipped(renamed, list))
        }
        // A head that is tied, and so not stored, counts unless it would mean a quantized layer.
        #expect(list.contains("predictions.decoder"))
        #expect(!list.contains("lm_head"))
    }
}
