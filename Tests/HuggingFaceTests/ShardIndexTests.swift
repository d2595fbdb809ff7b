import Files
import TestSupport
import Testing

@testable import HuggingFace

@Suite struct ShardIndexTests {
    private static let text = #"""
        {"metadata": {"total_size": 24, "other": [1, {"a": null}]},
         "weight_map": {"b.weight": "model-00002-of-00002.safetensors",
          "a.weight": "model-00001-of-00002.safetensors", "c": "model-00002-of-00002.safetensors"}}
        """#

    @Test func readsTensorsAndShards() throws {
        let index = try ShardIndex(parsing: Array(Self.text.utf8))
        #expect(index.tensors == ["b.weight", "a.weight", "c"])
        #expect(
            index.shards == [
                "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
            ]
        )
        #expect(index.positions == ["a.weight": 0, "b.weight": 1, "c": 1])
        #expect(index.totalSize?.text == "24")
    }

    @Test func refusesEveryBeginning() throws {
        try expectErrors([.jsonSyntax], atEveryLengthOf: Array(Self.text.utf8)) {
            _ = try ShardIndex(parsing: $0)
        }
    }

    @Test func refusesWhatIsNoIndex() throws {
        let defects: [(String, CheckpointError.Code)] = [
            (#"[]"#, .jsonType), (#"{}"#, .jsonMissingKey), (#"{"weight_map":[]}"#, .jsonType),
            (#"{"weight_map":{}}"#, .indexEmpty), (#"{"weight_map":{"a":1}}"#, .jsonType),
            (#"{"weight_map":{"a":"x","a":"x"}}"#, .jsonDuplicateKey),
            (#"{"weight_map":{"a":"../x"}}"#, .pathEscape),
            (#"{"weight_map":{"a":"/x"}}"#, .pathEscape),
            (#"{"weight_map":{"a":""}}"#, .pathBadName),
        ]
        for (text, code) in defects {
            try expectError(code) { try ShardIndex(parsing: Array(text.utf8)) }
        }
    }
}
