public import CheckpointIO

/// Turns text into the numbers that a model reads, and back: a `tokenizer.json` executed as it is
/// written.
///
/// Byte-pair encoding of byte-level vocabularies (GPT-2, Llama 3, Qwen, SmolLM2) and of characters with
/// byte fallback (Llama 2, Mistral). What is not known is refused by its name, never left out.
public final class Tokenizer: Sendable {
    private let normalizer: Normalizer?
    private let preTokenizer: PreTokenizer?
    private let model: BPEModel
    private let added: AddedTokens
    private let postProcessor: PostProcessor
    private let decoder: TokenDecoder?
    /// For each number its text; nil where no token has it.
    private let texts: [[UInt8]?]
    private let specialNumbers: Set<Int>
    private let addedNumbers: [Name: Int32]

    /// Reads a `tokenizer.json`.
    /// - Parameter text: the file.
    /// - Throws: `tokenizer.…` or `json.…`, with key and place.
    public init(parsing text: [UInt8]) throws(CheckpointError) {
        let json = try JSONObject(parsing: text)
        for key: Name in ["truncation", "padding"] where try json.optionalObject(key) != nil {
            throw CheckpointError(
                .tokenizerUnsupported,
                "a tokenizer that cuts or pads is not known",
                key: key.text,
                offset: json.member(key)?.valueOffset
            )
        }
        normalizer = try json.optionalObject("normalizer").map(Normalizer.init)
        preTokenizer = try json.optionalObject("pre_tokenizer").map(PreTokenizer.init)
        model = try BPEModel(try json.object("model"))
        decoder = try json.optionalObject("decoder").map(TokenDecoder.init)
        postProcessor =
            try json.optionalObject("post_processor").map(PostProcessor.init) ?? PostProcessor()
        let list = json["added_tokens"] == nil ? [] : try json.components("added_tokens", { $0 })
        added = try AddedTokens(list, normalizer)
        var texts = model.vocabulary.texts
        for token in added.tokens {
            let number = Int(token.number)
            if number >= texts.count {
                texts += repeatElement(nil, count: number + 1 - texts.count)
            }
            texts[number] = token.text
        }
        self.texts = texts
        specialNumbers = Set(added.tokens.lazy.filter(\.isSpecial).map { Int($0.number) })
        addedNumbers = Dictionary(
            added.tokens.map { (Name(utf8: $0.text), $0.number) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    /// One more than the largest number.
    public var count: Int { texts.count }

    /// The number of a token, as it stands in the file; nil if there is none.
    public func number(of token: String) -> Int? {
        (addedNumbers[Name(token)] ?? model.vocabulary[token.utf8]).map(Int.init)
    }

    /// The text of a token as it stands in the file; nil if no token has the number.
    public func token(_ number: Int) -> String? {
        guard texts.indices ~= number else { return nil }
        return texts[number].map { String(decoding: $0, as: UTF8.self) }
    }

    /// Returns the tokens of a text.
    /// - Parameters:
    ///   - text: any text.
    ///   - addsSpecialTokens: puts the tokens around it that models expect at its ends.
    /// - Returns: numbers of tokens.
    /// - Throws: `tokenizer.pattern` if a pattern takes too long.
    public func encode(
        _ text: String,
        addsSpecialTokens: Bool = true
    ) throws(CheckpointError) -> [Int] {
        var tokens: [Int32] = addsSpecialTokens ? postProcessor.before : []
        var cache = PieceCache()
        let bytes = Array(text.utf8)
        for part in added.parts(of: bytes, isNormalized: false) {
            if let token = part.token {
                tokens.append(token)
                continue
            }
            let normalized = try normalizer?.apply(to: Array(bytes[part.range]))
            let own = normalized ?? Array(bytes[part.range])
            for inner in added.parts(of: own, isNormalized: true) {
                if let token = inner.token {
                    tokens.append(token)
                    continue
                }
                var pieces = TextPieces(Array(own[inner.range]))
                let isFirst = part.range.lowerBound == 0 && inner.range.lowerBound == 0
                try preTokenizer?.apply(to: &pieces, isFirst: isFirst)
                for range in pieces.ranges {
                    cache.append(pieces.bytes[range], to: &tokens, model.encode)
                }
            }
        }
        if addsSpecialTokens { tokens += postProcessor.after }
        return tokens.map(Int.init)
    }

    /// Returns the text of tokens.
    ///
    /// Bytes that make no character become U+FFFD. Numbers of no token are left out.
    /// - Parameters:
    ///   - tokens: numbers of tokens.
    ///   - skipsSpecialTokens: leaves special tokens out.
    /// - Returns: the text.
    /// - Throws: `tokenizer.pattern` if a pattern takes too long.
    public func decode(
        _ tokens: some Sequence<Int>,
        skipsSpecialTokens: Bool = false
    ) throws(CheckpointError) -> String {
        var parts: [[UInt8]] = []
        for number in tokens where !(skipsSpecialTokens && specialNumbers.contains(number)) {
            if texts.indices ~= number, let text = texts[number] { parts.append(text) }
        }
        guard let decoder else {
            let words = parts.map { String(decoding: $0, as: UTF8.self) }
            return words.joined(separator: " ")
        }
        let decoded = try decoder.apply(to: parts)
        return String(decoding: Array(decoded.joined()), as: UTF8.self)
    }
}
