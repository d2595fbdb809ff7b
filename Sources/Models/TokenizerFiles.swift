internal import CheckpointIO
internal import Text

/// The files of a checkpoint that say how it reads text.
struct TokenizerFiles {
    private let checkpoint: Checkpoint

    init(_ checkpoint: Checkpoint) { self.checkpoint = checkpoint }

    private static let tokenizerByteCountLimit = 256 << 20
    private static let configByteCountLimit = 16 << 20

    /// Reads `tokenizer.json`.
    /// - Throws: `tokenizer.missing`, and what reading it throws.
    func tokenizer() throws(CheckpointError) -> Tokenizer {
        let name: Name = "tokenizer.json"
        guard let file = companion(name) else {
            throw CheckpointError(
                .tokenizerMissing,
                "the model has no tokenizer.json, so it cannot read text",
                file: checkpoint.name
            )
        }
        do {
            return try Tokenizer(parsing: file.wholeText(limit: Self.tokenizerByteCountLimit))
        } catch {
            throw error.inFile(name.text)
        }
    }

    /// The tokens that end a text: those of `generation_config.json`, or else of `config.json`, and the
    /// end token of `tokenizer_config.json`.
    func stopTokens(_ tokenizer: Tokenizer) throws(CheckpointError) -> Set<Int> {
        var tokens: Set<Int> = []
        for json in [try json("generation_config.json"), checkpoint.configuration] {
            guard tokens.isEmpty, let json else { continue }
            switch json["eos_token_id"] {
            case .number(let number): if let token = number.integer { tokens.insert(token) }
            case .array(let list):
                for case .number(let number) in list {
                    if let token = number.integer { tokens.insert(token) }
                }
            default: break
            }
        }
        if let text = try specialToken("eos_token"), let token = tokenizer.number(of: text) {
            tokens.insert(token)
        }
        return tokens
    }

    /// A special token that `tokenizer_config.json` names, as text or as an object with it.
    func specialToken(_ key: Name) throws(CheckpointError) -> String? {
        switch try json("tokenizer_config.json")?[key] {
        case .string(let text): text
        case .object(let token): try token.optionalString("content")
        default: nil
        }
    }

    /// The special tokens that a chat template may ask for, under their names.
    func specialTokens() throws(CheckpointError) -> JSONObject {
        var tokens = JSONObject()
        for key: Name in ["bos_token", "eos_token", "pad_token", "unk_token"] {
            if let text = try specialToken(key) { tokens[key] = .string(text) }
        }
        return tokens
    }

    /// The chat template: a file of its own, or a member of `tokenizer_config.json`, which may have
    /// several by name; nil if there is none.
    func chatTemplate() throws(CheckpointError) -> String? {
        if let text = try text("chat_template.jinja") { return text }
        switch try json("tokenizer_config.json")?["chat_template"] {
        case .string(let text): return text
        case .array(let several):
            let named = several.compactMap { value -> (name: JSONValue?, text: JSONValue?)? in
                guard case .object(let template) = value else { return nil }
                return (template["name"], template["template"])
            }
            let chosen = named.first { $0.name == .string("default") } ?? named.first
            if case .string(let text)? = chosen?.text { return text }
            return nil
        default: return nil
        }
    }

    /// Reads a file of settings; nil if it is not there.
    func json(_ name: Name) throws(CheckpointError) -> JSONObject? {
        guard let file = companion(name) else { return nil }
        do {
            return try JSONObject(parsing: file.wholeText(limit: Self.configByteCountLimit))
        } catch {
            throw error.inFile(name.text)
        }
    }

    /// Reads a text file; nil if it is not there.
    func text(_ name: Name) throws(CheckpointError) -> String? {
        guard let file = companion(name) else { return nil }
        let bytes = try file.wholeText(limit: Self.configByteCountLimit)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func companion(_ name: Name) -> (any ByteSource)? {
        checkpoint.companions.first { $0.name == name }?.source
    }
}
