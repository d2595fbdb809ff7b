import CheckpointIO
import Foundation
import Machine
import Quant
import TestSupport
import Tensors
import Testing

@testable import Models

@Suite struct LanguageModelTests {
    static let architectures = [
        "llama", "llama_biases_tied", "llama_linear", "llama3", "llama_yarn", "mistral",
        "mistral_full", "qwen2", "qwen2_yarn", "qwen3", "qwen3_biases",
    ]

    private static func model(_ name: String) throws -> (model: LanguageModel, tokens: [Int]) {
        let tensors = try Golden.tensors("models/logits.safetensors")
        return (
            try LanguageModel(at: Golden.url("models/\(name)").path),
            try #require(tensors["\(name).input_ids"]).integers
        )
    }

    /// The largest difference, as a part of the largest magnitude.
    private static func error(_ found: [Float], _ expected: [Float]) -> Float {
        guard found.count == expected.count, !found.contains(where: \.isNaN) else {
            return .infinity
        }
        let scale = expected.reduce(0) { max($0, $1.magnitude) }
        return zip(found, expected).reduce(0) { max($0, ($1.0 - $1.1).magnitude) } / scale
    }

    @Test(arguments: architectures)
    func logitsAreThoseOfTransformers(name: String) throws {
        let (model, tokens) = try Self.model(name)
        let expected = try #require(
            try Golden.tensors("models/logits.safetensors")["\(name).logits"]
        )
        let logits = try model.logits(of: tokens, mode: .float32)
        #expect(Self.error(logits.elements, expected.floats) < 1e-5)
    }

    @Test(arguments: ["nf4", "nf4_dq_tied_sharded", "int8", "fp4_f32_storage_skip"])
    func logitsOfQuantizedModelsAreThoseOfTheDequantizedWeights(name: String) throws {
        let tensors = try Golden.tensors("tiny_llama_logits.safetensors")
        let expected = try #require(tensors["\(name).dequantized_f32"])
        let ids = try #require(tensors["input_ids"]).integers
        let model = try LanguageModel(at: Golden.url("tiny_llama/\(name)").path)
        // The reference rounds dequantized 4-bit weights to the type that they had.
        var dense = model
        dense.mapLinearLayers { _, layer in
            guard let linear = layer as? Linear, name != "int8" else { return layer }
            let weight = DenseWeight(linear.weight.dequantized(), as: linear.weight.dtype)
            return Linear(weight, bias: linear.bias)
        }
        let width = model.vocabularySize
        for row in 0..<2 {
            let tokens = Array(ids[row * 16..<(row + 1) * 16])
            let own = Array(expected.floats[row * 16 * width..<(row + 1) * 16 * width])
            let same = try dense.logits(of: tokens, mode: .float32)
            #expect(Self.error(same.elements, own) < 2e-5)
            // Weights that keep all their digits, and products of two digits, differ by them.
            let exact = try model.logits(of: tokens, mode: .float32)
            let rounded = try model.logits(of: tokens, mode: .bfloat16)
            #expect(Self.error(exact.elements, own) < 1e-2)
            #expect(Self.error(rounded.elements, own) < 2e-2)
            #expect(rounded != exact)
        }
    }

    @Test func tablesThatAreOnlyLookedUpStayInTheirFile() throws {
        func isMapped(
            _ url: URL,
            _ options: LanguageModel.LoadingOptions = .init()
        ) throws -> Bool {
            let model = try LanguageModel(at: url.path, options: options)
            return try #require(model.embedding as? Embedding).weight.isMapped
        }
        #expect(try isMapped(Golden.url("tiny_llama/nf4")))
        #expect(try isMapped(Golden.url("tiny_llama/int8")))
        // A head that is tied to the table multiplies with it.
        #expect(try !isMapped(Repository.model))
        #expect(try isMapped(Repository.model, .init(headQuantization: .nf4)))
    }

    @Test func theThresholdOfOutliersIsTheCheckpoints() throws {
        func threshold(_ path: String) throws -> Float? {
            let model = try LanguageModel(at: path)
            let gate = try #require(model.layers[0].gate as? Linear)
            return try #require(gate.weight as? PreparedWeight).outlierThreshold
        }
        #expect(try threshold(Golden.url("tiny_llama/nf4").path) == nil)
        let source = try Golden.url("tiny_llama/int8")
        #expect(try threshold(source.path) == 6)
        for (written, expected) in [(3.5, 3.5), (0, nil)] as [(Double, Float?)] {
            let config = try String(
                contentsOf: source.appendingPathComponent("config.json"),
                encoding: .utf8
            )
            let changed = config.replacingOccurrences(
                of: "\"llm_int8_threshold\": 6.0",
                with: "\"llm_int8_threshold\": \(written)"
            )
            #expect(changed != config)
            let folder = try TemporaryFolder()
            try folder.write("config.json", Array(changed.utf8))
            try folder.write("model.safetensors", Golden.bytes("tiny_llama/int8/model.safetensors"))
            #expect(try threshold(folder.path) == expected)
        }
    }

    @Test func quantizingWhileLoadingIsConverting() throws {
        let (model, tokens) = try Self.model("llama")
        let path = try Golden.url("models/llama").path
        let quantized = try LanguageModel(at: path, options: .init(quantization: .nf4))
        let difference = Self.error(
            try quantized.logits(of: tokens, mode: .float32).elements,
            try model.logits(of: tokens, mode: .float32).elements
        )
        #expect(difference > 0.01 && difference < 0.5)
    }

    @Test(arguments: ["llama", "mistral", "qwen2"])
    func piecesOfASequenceGiveTheLogitsOfTheWhole(name: String) throws {
        let (model, tokens) = try Self.model(name)
        let whole = try model.logits(of: tokens, mode: .float32)
        let cache = try model.makeCache()
        var run = try DecoderRun(model, mode: .float32)
        var rows: [Float] = []
        var start = 0
        for count in [1, 15, 1, 47, 1, 1, 84] {
            try run.feed([SequenceChunk(Array(tokens[start..<start + count]), following: cache)])
            rows += try run.logits(0..<count).elements
            start += count
        }
        #expect(start == tokens.count && cache.count == tokens.count)
        #expect(Self.error(rows, whole.elements) < 1e-5)
    }

    @Test func whatACacheHoldsIsNotComputedAgain() throws {
        let (model, tokens) = try Self.model("llama")
        let options = GenerationOptions(maximumTokenCount: 8, mode: .float32)
        let cache = try model.makeCache()
        let first = Array(tokens[..<30])
        let answer = try model.generate([first], options: options, caches: [cache])[0]
        // The last token was made, but has not passed.
        #expect(cache.tokens == first + answer.tokens.dropLast())
        let following = first + answer.tokens + tokens[30..<50]
        #expect(cache.reusableCount(for: following) == 37)
        for prompt in [following, first, first, Array(first[..<10] + tokens[50..<60])] {
            let kept = cache.reusableCount(for: prompt)
            #expect(kept == zip(cache.tokens, prompt.dropLast()).prefix { $0 == $1 }.count)
            let continued = try model.generate([prompt], options: options, caches: [cache])
            #expect(try continued == model.generate([prompt], options: options))
            #expect(cache.tokens.starts(with: prompt))
        }
    }

    @Test func aCacheForgetsWhatIsCutOff() throws {
        let (model, tokens) = try Self.model("llama")
        let cache = try model.makeCache()
        var run = try DecoderRun(model, mode: .float32)
        try run.feed([SequenceChunk(tokens, following: cache)])
        cache.truncate(to: 40)
        try run.feed([SequenceChunk(Array(tokens[40..<60]), following: cache)])
        let again = try run.logits(0..<20)
        let whole = try model.logits(of: Array(tokens[0..<60]), mode: .float32)
        #expect(Self.error(again.elements, whole.rows(in: 40..<60).copy.elements) < 1e-5)
    }

    @Test func sequencesOfABatchDoNotSeeEachOther() throws {
        let (model, tokens) = try Self.model("qwen3")
        let parts = [Array(tokens[0..<3]), Array(tokens[3..<90]), Array(tokens[90..<91])]
        var run = try DecoderRun(model, mode: .float32)
        let chunks = try parts.map { SequenceChunk($0, following: try model.makeCache()) }
        try run.feed(chunks)
        var row = 0
        for part in parts {
            let own = try run.logits(row..<row + part.count)
            row += part.count
            let alone = try model.logits(of: part, mode: .float32)
            #expect(Self.error(own.elements, alone.elements) < 1e-5)
        }
    }

    @Test(arguments: ["llama", "mistral", "qwen2", "qwen3"])
    func lastTokensHaveTheLogitsThatTheyHaveAmongAll(name: String) throws {
        let (model, tokens) = try Self.model(name)
        let parts = [Array(tokens[0..<3]), Array(tokens[3..<90]), Array(tokens[90..<91])]
        let lastRows = [2, 89, 90]
        func logits(_ wanted: DecoderRun.Wanted, threads: Int) throws -> [[Float]] {
            var run = try DecoderRun(model, mode: .float32, on: WorkerPool(threadCount: threads))
            let caches = try parts.map { _ in try model.makeCache() }
            var found: [Float] = []
            try run.feed(
                zip(parts, caches).map { SequenceChunk($0, following: $1) },
                wanting: wanted
            )
            try run.computeLogits(lastRows, into: &found)
            // Keys and values are those of all tokens.
            var next: [Float] = []
            try run.feed(
                caches.map { SequenceChunk([tokens[100]], following: $0) },
                wanting: wanted
            )
            try run.computeLogits([0, 1, 2], into: &next)
            return [found, next]
        }
        let all = try logits(.all, threads: 2)
        let last = try logits(.last, threads: 2)
        for (own, expected) in zip(last, all) {
            #expect(own.count == 3 * model.vocabularySize)
            #expect(Self.error(own, expected) < 1e-5)
        }
        #expect(try logits(.last, threads: 1) == last)
        #expect(try logits(.last, threads: 7) == last)
    }

    @Test(arguments: ["llama", "qwen2"])
    func bitsDoNotDependOnTheNumberOfThreads(name: String) throws {
        let path = try Golden.url("models/\(name)").path
        let tokens = try Self.model(name).tokens
        let model = try LanguageModel(at: path, options: .init(quantization: .nf4))
        let one = try model.logits(of: tokens, on: WorkerPool(threadCount: 1))
        for threads in [2, 7] {
            #expect(try model.logits(of: tokens, on: WorkerPool(threadCount: threads)) == one)
        }
    }

    @Test func whatCannotBeRunIsRefusedByName() throws {
        func refusal(_ change: (inout [String: Any]) -> Void) throws -> CheckpointError? {
            let folder = try TemporaryFolder()
            let source = try Golden.url("models/llama")
            var config = try #require(
                try JSONSerialization.jsonObject(
                    with: Data(contentsOf: source.appendingPathComponent("config.json"))
                ) as? [String: Any]
            )
            change(&config)
            try folder.write(
                "config.json",
                [UInt8](JSONSerialization.data(withJSONObject: config))
            )
            try folder.write("model.safetensors", Golden.bytes("models/llama/model.safetensors"))
            do throws(CheckpointError) {
                _ = try LanguageModel(at: folder.path)
                return nil
            } catch {
                return error
            }
        }
        for (key, value) in [
            ("rope_parameters", ["rope_type": "dynamic", "factor": 2.0] as [String: Any] as Any),
            ("hidden_act", "gelu"), ("partial_rotary_factor", 0.5),
        ] {
            let error = try #require(try refusal { $0[key] = value })
            #expect(error.code == .configUnsupported)
            #expect(error.key?.contains(key == "rope_parameters" ? "rope_type" : key) == true)
        }
        #expect(try refusal { _ in } == nil)
    }
}
