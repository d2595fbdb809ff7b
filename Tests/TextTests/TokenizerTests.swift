import CheckpointIO
import Foundation
import TestSupport
import Testing
import Text

@Suite struct TokenizerTests {
    /// A tokenizer of the golden data, and what the reference makes of texts.
    struct Sample: Sendable, CustomStringConvertible {
        let folder: URL
        var description: String { folder.lastPathComponent }

        /// Those of the golden data, and those in the folder that `QLORA_GOLDEN_TOKENIZERS` names.
        static let all: [Sample] = {
            let own = try? Golden.url("tokenizers")
            let more = ProcessInfo.processInfo.environment["QLORA_GOLDEN_TOKENIZERS"]
                .map { URL(fileURLWithPath: $0) }
            return [own, more].compactMap { $0 }.flatMap { root in
                let names = try? FileManager.default.contentsOfDirectory(atPath: root.path)
                return (names ?? []).sorted().map {
                    Sample(folder: root.appendingPathComponent($0))
                }
            }
        }()

        func tokenizer() throws -> Tokenizer {
            try Tokenizer(
                parsing: [UInt8](Data(contentsOf: folder.appendingPathComponent("tokenizer.json")))
            )
        }

        /// A text, its ids, and what they decode to; both texts are nil in the last.
        struct Case {
            let text: String?
            let ids: [Int]
            let decoded: String?
        }

        /// Read with the library's own reader: Foundation's drops byte order marks out of texts.
        func golden() throws -> (cases: [Case], hello: [Int]) {
            let data = try Data(contentsOf: folder.appendingPathComponent("cases.json"))
            let json = try JSONObject(parsing: [UInt8](data))
            let cases = try json.array("cases").map { value in
                guard case .object(let members) = value else {
                    throw CocoaError(.coderInvalidValue)
                }
                return Case(
                    text: try members.optionalString("text"),
                    ids: try Self.integers(members.array("ids")),
                    decoded: try members.optionalString("decoded")
                )
            }
            return (cases, try Self.integers(json.array("hello_with_special_tokens")))
        }

        private static func integers(_ values: [JSONValue]) throws -> [Int] {
            try values.map { value in
                guard case .number(let number) = value else { throw CocoaError(.coderInvalidValue) }
                return try #require(number.integer)
            }
        }

        /// The text of the last case, which is too long for the file.
        func lastText() throws -> String {
            let own = folder.appendingPathComponent("last.txt")
            let text = FileManager.default.fileExists(atPath: own.path) ? own : Repository.validText
            return try String(decoding: Data(contentsOf: text), as: UTF8.self)
        }

        /// Whether every text comes back.
        var isLossless: Bool {
            ["gpt2", "llama3"].contains(description) || description.hasPrefix("bytes_")
        }
    }

    @Test func thereAreSamples() { #expect(Sample.all.count >= 7) }

    @Test(arguments: Sample.all)
    func idsAreThoseOfTheReference(sample: Sample) throws {
        let tokenizer = try sample.tokenizer()
        let golden = try sample.golden()
        #expect(golden.cases.count > 300)
        for own in golden.cases {
            let text = try own.text ?? sample.lastText()
            let found = try tokenizer.encode(text, addsSpecialTokens: false)
            guard found == own.ids else {
                let start = zip(found, own.ids).prefix { $0 == $1 }.count
                Issue.record(
                    """
                    \(text.prefix(80).debugDescription), token \(start): \
                    \(found.dropFirst(start).prefix(9)) for \(own.ids.dropFirst(start).prefix(9))
                    """
                )
                continue
            }
            let decoded = try tokenizer.decode(own.ids)
            let expected = own.decoded ?? decoded
            #expect(decoded.utf8.elementsEqual(expected.utf8), "\(text.debugDescription)")
            if sample.isLossless { #expect(decoded.utf8.elementsEqual(text.utf8)) }
        }
        #expect(try tokenizer.encode("Hello") == golden.hello)
    }

    @Test(arguments: Sample.all)
    func streamedTextIsTheWhole(sample: Sample) throws {
        let tokenizer = try sample.tokenizer()
        for own in try sample.golden().cases.prefix(150) {
            let ids = own.ids
            var decoder = StreamingDecoder(tokenizer, skipsSpecialTokens: false)
            var parts = try ids.map { try decoder.append($0) }
            parts.append(try decoder.finish())
            let whole = try tokenizer.decode(ids)
            #expect(parts.joined().utf8.elementsEqual(whole.utf8))
        }
    }

    @Test func aStreamNeverBreaksACharacter() throws {
        let tokenizer = try #require(Sample.all.first { $0.description == "gpt2" }).tokenizer()
        let ids = try tokenizer.encode("日本 👩‍👩‍👧")
        var decoder = StreamingDecoder(tokenizer)
        var parts = try ids.map { try decoder.append($0) }
        parts.append(try decoder.finish())
        #expect(!parts.contains { $0.contains("\u{FFFD}") })
        #expect(parts.joined() == "日本 👩‍👩‍👧")
        #expect(parts.contains(""))
    }

    @Test func longPiecesAreMergedInTime() throws {
        let tokenizer = try #require(Sample.all.first { $0.description == "gpt2" }).tokenizer()
        let text = String(repeating: "thethatand", count: 40_000)
        let clock = ContinuousClock()
        var ids: [Int] = []
        let time = try clock.measure { ids = try tokenizer.encode(text) }
        #expect(try tokenizer.decode(ids) == text)
        // A quadratic merge would take hours.
        #expect(time < .seconds(60))
    }

    // MARK: Defects

    private static func refusal(_ change: (inout [String: Any]) -> Void) throws -> CheckpointError?
    {
        let sample = try #require(Sample.all.first { $0.description == "gpt2" })
        let data = try Data(contentsOf: sample.folder.appendingPathComponent("tokenizer.json"))
        var json = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        change(&json)
        let bytes = try [UInt8](JSONSerialization.data(withJSONObject: json))
        do throws(CheckpointError) {
            _ = try Tokenizer(parsing: bytes)
            return nil
        } catch {
            return error
        }
    }

    private static func model(
        _ change: @escaping (inout [String: Any]) -> Void
    ) throws -> CheckpointError? {
        try refusal { json in
            var model = json["model"] as? [String: Any] ?? [:]
            change(&model)
            json["model"] = model
        }
    }

    @Test func refusesEveryBeginning() throws {
        let text = #"""
            {"version": "1.0", "added_tokens": [{"id": 3, "content": "<end>", "special": true}],
             "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
             "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE",
             "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}}
            """#
        let tokens = try Tokenizer(parsing: Array(text.utf8)).encode("abba<end>")
        #expect(tokens == [2, 1, 0, 3])
        try expectErrors([.jsonSyntax], atEveryLengthOf: Array(text.utf8)) {
            _ = try Tokenizer(parsing: $0)
        }
    }

    @Test func defectsHaveNames() throws {
        let none = try Self.refusal { _ in }
        #expect(none == nil)
        let defects: [(CheckpointError.Code, CheckpointError?)] = [
            (.tokenizerUnsupported, try Self.refusal { $0["normalizer"] = ["type": "Other"] }),
            (.tokenizerUnsupported, try Self.refusal { $0["pre_tokenizer"] = ["type": "BertPre"] }),
            (.tokenizerUnsupported, try Self.refusal { $0["decoder"] = ["type": "WordPiece"] }),
            (.tokenizerUnsupported, try Self.refusal { $0["post_processor"] = ["type": "Bert"] }),
            (.tokenizerUnsupported, try Self.refusal { $0["truncation"] = ["max_length": 5] }),
            (.tokenizerUnsupported, try Self.model { $0["type"] = "Unigram" }),
            (.tokenizerUnsupported, try Self.model { $0["dropout"] = 0.1 }),
            (.tokenizerUnsupported, try Self.model { $0["end_of_word_suffix"] = "</w>" }),
            (.tokenizerVocab, try Self.model { $0["vocab"] = [String: Int]() }),
            (.tokenizerVocab, try Self.model { $0["vocab"] = ["a": -1] }),
            (.tokenizerVocab, try Self.model { $0["vocab"] = ["a": 1, "b": 1] }),
            (.tokenizerVocab, try Self.model { $0["unk_token"] = "<nowhere>" }),
            (.tokenizerMerge, try Self.model { $0["merges"] = ["a b c"] }),
            (.tokenizerMerge, try Self.model { $0["merges"] = [["nowhere", "t"]] }),
            (.tokenizerMerge, try Self.model { $0["merges"] = [["t", "h"], ["t", "h"]] }),
            (
                .tokenizerAddedToken,
                try Self.refusal { $0["added_tokens"] = [["id": 3, "content": ""]] }
            ),
            (
                .tokenizerPattern,
                try Self.refusal {
                    $0["pre_tokenizer"] = [
                        "type": "Split", "behavior": "Isolated", "pattern": ["Regex": "("],
                    ]
                }
            ),
            (
                .tokenizerUnsupported,
                try Self.refusal {
                    $0["pre_tokenizer"] = [
                        "type": "Split", "behavior": "Isolated", "pattern": ["Regex": "[a&&b]"],
                    ]
                }
            ),
        ]
        for (index, (code, error)) in defects.enumerated() {
            #expect(error?.code == code, "defect \(index): \(error?.description ?? "none")")
        }
    }

    @Test func aPatternThatTakesTooLongIsAnError() throws {
        let sample = try #require(Sample.all.first { $0.description == "gpt2" })
        let data = try Data(contentsOf: sample.folder.appendingPathComponent("tokenizer.json"))
        var json = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        json["pre_tokenizer"] = [
            "type": "Split", "behavior": "Isolated", "pattern": ["Regex": "(a+)+$"],
        ]
        let tokenizer = try Tokenizer(
            parsing: [UInt8](JSONSerialization.data(withJSONObject: json))
        )
        #expect(throws: CheckpointError.self) {
            _ = try tokenizer.encode(String(repeating: "a", count: 200) + "b")
        }
    }
}
