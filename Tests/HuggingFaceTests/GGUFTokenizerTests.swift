import TestSupport
import Testing

@testable import Files
@testable import HuggingFace

@Suite("Tokenizers in GGUF files")
struct GGUFTokenizerTests {
    private let tokens = [
        "<unk>", "<s>", "</s>", "a", "b", "é", "ab", "bé", "abé", "aa", "aaa", "aaaa", "▁", "▁a",
        "▁ab",
    ]

    @Test("merges implied by scores come in the order of the reference")
    func findsImpliedMerges() throws {
        let json = try tokenizer(sentencePiece())
        let merges = try json.object("model").array("merges")
        // What `generate_merges` of transformers 5.23 returns for this vocabulary and these scores.
        let expected: [JSONValue] = [
            ["a", "b"], ["b", "é"], ["ab", "é"], ["a", "bé"], ["a", "a"], ["aaa", "a"],
            ["aa", "aa"], ["aa", "a"], ["a", "aaa"], ["a", "aa"], ["▁a", "b"], ["▁", "ab"],
            ["▁", "a"],
        ]
        #expect(merges == expected)
    }

    @Test("a sentencepiece vocabulary becomes a tokenizer of Hugging Face's")
    func writesSentencePiece() throws {
        var writer = sentencePiece()
        writer.set("tokenizer.ggml.bos_token_id", .uint32(1))
        writer.set("tokenizer.ggml.eos_token_id", .uint32(2))
        writer.set("tokenizer.ggml.unknown_token_id", .uint32(0))
        let json = try tokenizer(writer)
        let model = try json.object("model")
        #expect(try model.string("type") == "BPE")
        #expect(try model.bool("byte_fallback") && model.bool("fuse_unk"))
        #expect(try model.string("unk_token") == "<unk>")
        let vocabulary = try model.object("vocab")
        #expect(vocabulary.members.map(\.key.text) == tokens)
        #expect(
            try vocabulary.members.enumerated().allSatisfy { id, member in
                try vocabulary.integer(member.key) == id
            }
        )
        let added = try json.array("added_tokens").map { $0.text() }
        let fields = #""single_word": false, "lstrip": false, "rstrip": false, "normalized": false"#
        #expect(
            added
                == ["<unk>", "<s>", "</s>"].enumerated().map { id, text in
                    #"{"id": \#(id), "content": "\#(text)", \#(fields), "special": true}"#
                }
        )
        #expect(try json.object("pre_tokenizer").string("prepend_scheme") == "first")
        let template = try json.object("post_processor").array("single").map { $0.text() }
        #expect(
            template == [
                #"{"SpecialToken": {"id": "<s>", "type_id": 0}}"#,
                #"{"Sequence": {"id": "A", "type_id": 0}}"#,
            ]
        )
        #expect(try json.object("decoder").array("decoders").count == 4)
    }

    @Test("a file without a prefix space, and without a beginning, says so")
    func heedsFlags() throws {
        var writer = sentencePiece()
        writer.set("tokenizer.ggml.bos_token_id", .uint32(1))
        writer.set("tokenizer.ggml.add_bos_token", .bool(0))
        writer.set("tokenizer.ggml.add_space_prefix", .bool(0))
        let json = try tokenizer(writer)
        #expect(json["post_processor"] == .null)
        #expect(try json.object("pre_tokenizer").string("prepend_scheme") == "never")
        #expect(try json.object("decoder").array("decoders").count == 3)
    }

    @Test("merges of the file are taken as pairs", arguments: ["smollm", "gpt-2", "qwen2"])
    func writesByteLevel(pre: String) throws {
        var writer = byteLevel(pre)
        writer.set("tokenizer.ggml.bos_token_id", .uint32(0))
        let json = try tokenizer(writer)
        let model = try json.object("model")
        #expect(try model.array("merges") == [["Ġ", "a"], ["Ġa", "b"], ["a", "\"\\"]])
        #expect(try !model.bool("byte_fallback"))
        #expect(json["post_processor"] == .null)
        let preTokenizer = try json.object("pre_tokenizer").text()
        #expect(preTokenizer.contains("individual_digits") == (pre == "smollm"))
        #expect(preTokenizer.contains("Regex") == (pre == "qwen2"))
        #expect((json["normalizer"] == ["type": "NFC"]) == (pre == "qwen2"))
        let added = try json.array("added_tokens").map { $0.text() }
        #expect(added.count == 2)
        #expect(
            added[1].contains(#""content": "<think>""#) && added[1].contains("\"special\": false")
        )
    }

    @Test("Llama 3 begins texts, and takes whole words, unless the file says otherwise")
    func knowsLlama3() throws {
        var writer = byteLevel("llama-bpe")
        writer.set("tokenizer.ggml.bos_token_id", .uint32(0))
        let json = try tokenizer(writer)
        #expect(json["post_processor"] != .null)
        #expect(try json.object("model").bool("ignore_merges"))
        writer.set("tokenizer.ggml.add_bos_token", .bool(0))
        #expect(try tokenizer(writer)["post_processor"] == .null)
    }

    @Test("the files beside the tokenizer name the special tokens and the chat template")
    func writesTheOtherFiles() throws {
        var writer = sentencePiece()
        writer.set("tokenizer.ggml.bos_token_id", .uint32(1))
        writer.set("tokenizer.ggml.eos_token_id", .uint32(2))
        writer.set("tokenizer.ggml.eot_token_id", .uint32(8))
        writer.set("tokenizer.chat_template", .string("{{ bos_token }}\n"))
        let files = try companions(of: writer)
        #expect(
            files.keys.sorted() == [
                "chat_template.jinja", "generation_config.json", "special_tokens_map.json",
                "tokenizer.json", "tokenizer_config.json",
            ]
        )
        #expect(files["chat_template.jinja"] == Array("{{ bos_token }}\n".utf8))
        let config = try object(files["tokenizer_config.json"])
        #expect(try config.string("chat_template") == "{{ bos_token }}\n")
        #expect(try config.string("eos_token") == "</s>")
        #expect(try config.integer("model_max_length") == 64)
        let map = try object(files["special_tokens_map.json"])
        #expect(map.text() == #"{"bos_token": "<s>", "eos_token": "</s>"}"#)
        let generation = try object(files["generation_config.json"])
        #expect(generation["eos_token_id"] == [2, 8])
    }

    @Test("a tokenizer that is not known is refused by name, and the weights can be had without")
    func refusesUnknownTokenizers() throws {
        var writer = byteLevel("deepseek-llm")
        let error = try refusal(writer, .tokenizerUnsupported, "tokenizer.ggml.pre")
        #expect(error.found == "deepseek-llm" && error.category == .unsupported)
        #expect(error.hint != nil)
        writer.set("tokenizer.ggml.model", .string("t5"))
        try refusal(writer, .tokenizerUnsupported, "tokenizer.ggml.model")
        var options = Checkpoint.Options()
        options.readsTokenizer = false
        let contents = try CheckpointContents(
            gguf: BytesInMemory(writer.bytes(), fileName: "t.gguf"),
            options: options
        )
        #expect(contents.companions.map(\.name) == ["generation_config.json"])
        #expect(contents.tensors.count == 11)
    }

    @Test("a file that does not name its way to cut text is taken for GPT-2's with a warning")
    func warnsOfUnnamedPreTokenizers() throws {
        var writer = byteLevel("default")
        #expect(try warnings(of: &writer) == [.tokenizerUnsupported])
        writer.remove("tokenizer.ggml.pre")
        #expect(try warnings(of: &writer) == [.tokenizerUnsupported])
        writer.set("tokenizer.ggml.pre", .string("gpt-2"))
        #expect(try warnings(of: &writer).isEmpty)
    }

    private func warnings(of writer: inout GGUFWriter) throws -> [CheckpointError.Code] {
        try CheckpointContents(
            gguf: BytesInMemory(writer.bytes(), fileName: "t.gguf"),
            options: .init()
        ).warnings.map(\.finding.code)
    }

    @Test("arrays have the right types and one length")
    func refusesArrays() throws {
        let keys = ["tokens", "scores", "token_type"].map { "tokenizer.ggml.\($0)" }
        var writer = sentencePiece()
        writer.set(keys[0], .int32s([Int32](repeating: 0, count: 15)))
        try refusal(writer, .ggufKeyType, keys[0])
        writer = sentencePiece()
        writer.set(
            keys[1],
            .raw(9, little(UInt32(1)) + little(UInt64(15)) + [UInt8](repeating: 0, count: 15))
        )
        try refusal(writer, .ggufKeyType, keys[1])
        writer = sentencePiece()
        writer.set(keys[1], .floats([1, 2]))
        try refusal(writer, .tokenizerCount, keys[1])
        writer = sentencePiece()
        writer.set(keys[2], .int32s([1]))
        try refusal(writer, .tokenizerCount, keys[2])
        writer = sentencePiece()
        writer.set(keys[0], .strings((0..<21).map { "t\($0)" }))
        try refusal(writer, .tokenizerCount, keys[0])
    }

    @Test("tokens are distinct, of known types, and what ids point to")
    func refusesVocabularies() throws {
        let key = "tokenizer.ggml.tokens"
        var writer = sentencePiece()
        writer.set(key, .strings(Array(tokens.dropLast()) + ["a"]))
        try refusal(writer, .tokenizerVocab, key)
        writer.set(key, .strings(Array(tokens.dropLast()) + [String(repeating: "x", count: 1025)]))
        try refusal(writer, .tokenizerVocab, key)
        writer.set(key, .strings(Array(tokens.dropLast()) + [String(repeating: "x", count: 129)]))
        try refusal(writer, .tokenizerVocab, key)
        // Two spellings of one letter are two tokens.
        writer.set(key, .strings(Array(tokens.dropLast()) + ["e\u{301}"]))
        _ = try tokenizer(writer)
        writer = sentencePiece()
        writer.set("tokenizer.ggml.token_type", .int32s([Int32](repeating: 9, count: 15)))
        try refusal(writer, .tokenizerVocab, key)
        writer = sentencePiece()
        writer.set("tokenizer.ggml.unknown_token_id", .uint32(15))
        try refusal(writer, .tokenizerVocab, "tokenizer.ggml.unknown_token_id")
        writer = sentencePiece()
        writer.remove("tokenizer.ggml.scores")
        try refusal(writer, .ggufMissingKey, "tokenizer.ggml.merges")
    }

    @Test("merges are pairs of tokens that make a token, each once")
    func refusesMerges() throws {
        for merges in [["ab"], ["Ġ x"], ["x Ġ"], ["a a"], ["Ġ a", "Ġ a"], ["a "]] {
            var writer = byteLevel("gpt-2")
            writer.set("tokenizer.ggml.merges", .strings(merges))
            try refusal(writer, .tokenizerMerge, "tokenizer.ggml.merges")
        }
    }

    private func sentencePiece() -> GGUFWriter {
        var writer = GGUFWriter.tinyLlama()
        let scores: [Float] = [0, 0, 0, -10, -11, -12, -1, -2, -3, -4, -5, -5, -13, -6, -6]
        writer.set("tokenizer.ggml.tokens", .strings(tokens))
        writer.set("tokenizer.ggml.scores", .floats(scores))
        let types: [Int32] = [2, 3, 3] + [Int32](repeating: 1, count: 12)
        writer.set("tokenizer.ggml.token_type", .int32s(types))
        return writer
    }

    private func byteLevel(_ pre: String) -> GGUFWriter {
        var writer = GGUFWriter.tinyLlama()
        writer.remove("tokenizer.ggml.scores")
        writer.set("tokenizer.ggml.model", .string("gpt2"))
        writer.set("tokenizer.ggml.pre", .string(pre))
        let tokens = ["<|end|>", "Ġ", "a", "b", "\"\\", "Ġa", "Ġab", "a\"\\", "<think>"]
        writer.set("tokenizer.ggml.tokens", .strings(tokens))
        writer.set("tokenizer.ggml.token_type", .int32s([3, 1, 1, 1, 1, 1, 1, 1, 4]))
        writer.set("tokenizer.ggml.merges", .strings(["Ġ a", "Ġa b", "a \"\\"]))
        return writer
    }

    private func companions(of writer: GGUFWriter) throws -> [String: [UInt8]] {
        var writer = writer
        let contents = try CheckpointContents(
            gguf: BytesInMemory(writer.bytes(), fileName: "t.gguf"),
            options: .init()
        )
        var files: [String: [UInt8]] = [:]
        for companion in contents.companions {
            files[companion.name.text] = try companion.source.bytes(
                in: 0..<companion.source.byteCount
            )
        }
        return files
    }

    private func tokenizer(_ writer: GGUFWriter) throws -> JSONObject {
        try object(companions(of: writer)["tokenizer.json"])
    }

    private func object(_ bytes: [UInt8]?) throws -> JSONObject {
        try JSONObject(parsing: #require(bytes))
    }

    @discardableResult
    private func refusal(
        _ writer: GGUFWriter,
        _ code: CheckpointError.Code,
        _ key: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> CheckpointError {
        let error = #expect(throws: CheckpointError.self, sourceLocation: sourceLocation) {
            try companions(of: writer)
        }
        let found = try #require(error, sourceLocation: sourceLocation)
        #expect(found.code == code, "\(found)", sourceLocation: sourceLocation)
        #expect(found.key == key, sourceLocation: sourceLocation)
        return found
    }
}
