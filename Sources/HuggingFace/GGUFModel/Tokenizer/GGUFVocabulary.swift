internal import Containers
internal import Files

/// The vocabulary of a GGUF file, checked.
struct GGUFVocabulary {
    /// What a token is for, as `tokenizer.ggml.token_type` numbers it.
    enum Kind: Int32 {
        case normal = 1
        case unknown = 2
        case control = 3
        case userDefined = 4
        case unused = 5
        case byte = 6
    }

    /// Bytes of one token.
    ///
    /// Longer ones would make the search for merges quadratic.
    static let tokenLimit = 1024

    let file: GGUFFile
    /// The tokens by id, in UTF-8 and in the spelling of `tokenizer.json`.
    let tokens: [ArraySlice<UInt8>]
    /// What each token is for.
    let kinds: [Kind]
    /// The score of each token; nil if the file has none.
    let scores: [Float]?
    /// The id of each token.
    let ids: [ArraySlice<UInt8>: Int]

    private static let tokensKey: Name = "tokenizer.ggml.tokens"
    private static let kindsKey: Name = "tokenizer.ggml.token_type"
    private static let scoresKey: Name = "tokenizer.ggml.scores"

    /// Checks types and counts of the vocabulary's arrays without reading them.
    /// - Throws: `gguf.keyType`, or `tokenizer.count` with the key.
    static func check(_ file: GGUFFile, vocabularySize: Int) throws(CheckpointError) {
        guard let count = try file.arrayCount(tokensKey, of: .string) else { return }
        guard count <= vocabularySize else {
            throw file.countError(tokensKey, expected: "at most \(vocabularySize)", found: count)
        }
        if let scores = try file.arrayCount(scoresKey, of: .float32), scores != count {
            throw file.countError(scoresKey, expected: "\(count)", found: scores)
        }
        if let kinds = try file.arrayCount(kindsKey, of: .int32), kinds != count {
            throw file.countError(kindsKey, expected: "\(count)", found: kinds)
        }
        _ = try file.arrayCount("tokenizer.ggml.merges", of: .string)
    }

    /// Reads the vocabulary; `respellsSpaces` says whether tokens of nothing but spaces are to be
    /// spelled `▁▁`.
    ///
    /// Throws `gguf.missingKey`, or `tokenizer.vocab` with the id at fault.
    init(file: GGUFFile, respellsSpaces: Bool) throws(CheckpointError) {
        guard let strings = try file.strings(Self.tokensKey) else {
            throw file.missingKey(Self.tokensKey)
        }
        self.file = file
        var tokens: [ArraySlice<UInt8>] = []
        tokens.reserveCapacity(strings.count)
        for token in strings {
            let isSpaces = respellsSpaces && !token.isEmpty && token.allSatisfy { $0 == 0x20 }
            // U+2581, which sentencepiece writes for a space.
            let lowBlock: [UInt8] = [0xE2, 0x96, 0x81]
            tokens.append(isSpaces ? (0..<token.count).flatMap { _ in lowBlock }[...] : token)
        }
        var ids: [ArraySlice<UInt8>: Int] = [:]
        ids.reserveCapacity(tokens.count)
        for (id, token) in tokens.enumerated() {
            guard token.count <= Self.tokenLimit else {
                throw file.vocabularyError("token \(id) is longer than \(Self.tokenLimit) bytes")
            }
            if let first = ids.updateValue(id, forKey: token) {
                throw file.vocabularyError("tokens \(first) and \(id) are the same text")
            }
        }
        guard !tokens.isEmpty else { throw file.vocabularyError("the vocabulary is empty") }
        kinds = try Self.kinds(in: file, count: tokens.count)
        scores = try file.floats(Self.scoresKey)
        if let bad = scores?.firstIndex(where: { $0.isNaN }) {
            throw file.vocabularyError("the score of token \(bad) is not a number")
        }
        self.tokens = tokens
        self.ids = ids
    }

    private static func kinds(in file: GGUFFile, count: Int) throws(CheckpointError) -> [Kind] {
        guard let numbers = try file.int32s(kindsKey) else {
            return [Kind](repeating: .normal, count: count)
        }
        var kinds: [Kind] = []
        kinds.reserveCapacity(count)
        for (id, number) in numbers.enumerated() {
            // 0 is "undefined", which nobody tells apart from normal.
            guard let kind = number == 0 ? .normal : Kind(rawValue: number) else {
                throw file.vocabularyError("the type \(number) of token \(id) is unknown")
            }
            kinds.append(kind)
        }
        return kinds
    }

    /// The token of an id, as text.
    func text(of id: Int) -> String {
        String(decoding: tokens[id], as: UTF8.self)
    }

    /// Returns the id that a key gives, checked, or nil if the key is absent.
    func id(_ key: Name) throws(CheckpointError) -> Int? {
        guard let number = try file.integer(key) else { return nil }
        guard number < UInt64(tokens.count) else {
            throw CheckpointError(
                .tokenizerVocab,
                "the id is not in the vocabulary",
                file: file.source.fileName,
                key: key.text,
                offset: file.entry(key).map { UInt64($0.valueOffset) },
                expected: "below \(tokens.count)",
                found: "\(number)"
            )
        }
        return Int(number)
    }
}

extension GGUFFile {
    /// Returns an error about the number of items of an array.
    func countError(_ key: Name, expected: String, found: Int) -> CheckpointError {
        CheckpointError(
            .tokenizerCount,
            "the arrays of the tokenizer do not have the same length",
            file: source.fileName,
            key: key.text,
            offset: entry(key).map { UInt64($0.valueOffset) },
            expected: expected,
            found: "\(found)"
        )
    }

    /// Returns an error about the tokens.
    func vocabularyError(_ message: String) -> CheckpointError {
        CheckpointError(
            .tokenizerVocab,
            message,
            file: source.fileName,
            key: "tokenizer.ggml.tokens"
        )
    }
}
