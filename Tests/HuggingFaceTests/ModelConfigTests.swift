import Files
import HuggingFace
import TestSupport
import Testing

/// What `config.json` says must not contradict itself.
@Suite struct ModelConfigTests {
    private static func config(_ changes: JSONObject) throws -> ModelConfig {
        try ModelConfig(json: TestModel.llama("LlamaForCausalLM", changes).config)
    }

    @Test func refusesEveryBeginning() throws {
        let text = try TestModel.llama().config.text(.indented)
        try expectErrors([.jsonSyntax], atEveryLengthOf: Array(text.utf8)) {
            _ = try ModelConfig(json: JSONObject(parsing: $0))
        }
    }

    @Test func refusesTheTypeOfAnotherFamily() throws {
        try expectError(.configContradiction) {
            _ = try Self.config(["model_type": "gpt2"])
        }
        // transformers chooses the family by the one or the other.
        #expect(try Self.config(["model_type": "llama"]).architecture == .llama)
        #expect(try Self.config(["model_type": .null]).architecture == .llama)
    }

    @Test(arguments: ["rope_scaling", "rope_parameters"])
    func refusesAScalingWithoutItsNumbers(key: String) throws {
        let complete: [String: JSONObject] = [
            "linear": ["factor": 2],
            "dynamic": ["factor": 2],
            "llama3": ["factor": 8, "low_freq_factor": 1, "high_freq_factor": 4],
            "longrope": ["short_factor": [1, 1], "long_factor": [2, 2]],
        ]
        for (kind, numbers) in complete {
            func check(_ settings: JSONObject) throws {
                _ = try Self.config([Name(key): .object(settings)])
            }
            for spelling: Name in ["type", "rope_type"] {
                var settings = numbers
                settings[spelling] = .string(kind)
                try check(settings)
                for number in numbers.members {
                    var partial: JSONObject = [spelling: .string(kind)]
                    for other in numbers.members where other.key != number.key {
                        partial[other.key] = other.value
                    }
                    try expectError(.jsonMissingKey) { try check(partial) }
                }
            }
        }
    }

    @Test func refusesTwoFormsThatDisagree() throws {
        func check(_ old: JSONObject, _ new: JSONObject) throws {
            _ = try Self.config([
                "rope_scaling": .object(old), "rope_parameters": .object(new),
            ])
        }
        try check(["type": "linear", "factor": 2], ["rope_type": "linear", "factor": 2])
        try check(
            ["type": "linear", "factor": 2],
            [
                "rope_type": "linear", "factor": 2, "rope_theta": 500,
            ]
        )
        try expectError(.configContradiction) {
            try check(["type": "linear", "factor": 2], ["rope_type": "linear", "factor": 4])
        }
        try expectError(.configContradiction) {
            try check(["type": "linear", "factor": 2], ["rope_type": "dynamic", "factor": 2])
        }
        try expectError(.configContradiction) {
            try check(["type": "linear", "factor": 2], ["rope_theta": 500])
        }
    }
}
