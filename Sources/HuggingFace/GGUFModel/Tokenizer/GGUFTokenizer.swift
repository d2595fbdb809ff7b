internal import Containers
internal import Files

/// The tokenizer in a GGUF file, as the files that Hugging Face's libraries read.
struct GGUFTokenizer {
    let vocabulary: GGUFVocabulary
    let kind: GGUFTokenizerKind
    let merges: GGUFMerges
    let contextLength: Int
    let chatTemplate: String?
    let addsBeginning: Bool
    let addsEnd: Bool
    let beginID: Int?
    let endID: Int?
    let unknownID: Int?
    let paddingID: Int?

    /// Reads the tokenizer; nil if the file has none.
    /// - Throws: `tokenizer.unsupported` if it is not one of those known, `tokenizer.vocab`,
    ///   `tokenizer.merge`, `tokenizer.count`, `gguf.keyType`.
    init?(config: GGUFConfig) throws(CheckpointError) {
        let file = config.file
        guard let model = try file.string("tokenizer.ggml.model"), model != "none" else {
            return nil
        }
        kind = try GGUFTokenizerKind(
            file: file,
            model: model,
            architecture: config.architecture
        )
        vocabulary = try GGUFVocabulary(file: file, respellsSpaces: kind == .gemma)
        var scores = vocabulary.scores
        // Gemma's scores are not in the order of its merges; its tokens are.
        if kind == .gemma { scores = vocabulary.tokens.indices.map { -Float($0) } }
        merges = try GGUFMerges(
            vocabulary: vocabulary,
            scores: kind.hasByteFallback ? scores : nil
        )
        contextLength = config.contextLength
        chatTemplate = try file.string("tokenizer.chat_template")
        addsBeginning =
            try file.bool("tokenizer.ggml.add_bos_token") ?? kind.addsBeginningByDefault
        addsEnd = try file.bool("tokenizer.ggml.add_eos_token") ?? false
        beginID = try vocabulary.id("tokenizer.ggml.bos_token_id")
        endID = try vocabulary.id("tokenizer.ggml.eos_token_id")
        unknownID = try vocabulary.id("tokenizer.ggml.unknown_token_id")
        paddingID = try vocabulary.id("tokenizer.ggml.padding_token_id")
    }

    /// What had to be assumed, because the file does not say it.
    var warnings: [CheckpointWarning] {
        get throws(CheckpointError) {
            let file = vocabulary.file
            let key: Name = "tokenizer.ggml.pre"
            guard case .byteLevel = kind, try file.string(key) ?? "default" == "default" else {
                return []
            }
            let finding = CheckpointError(
                .tokenizerUnsupported,
                "the file does not say how its tokenizer cuts text; taken for GPT-2's way",
                file: file.source.fileName,
                key: key.text
            )
            return [CheckpointWarning(finding)]
        }
    }

    /// The tokens that are found in text before anything else, in the order of their ids.
    var addedTokens: [(id: Int, isSpecial: Bool)] {
        let named = Set([beginID, endID, unknownID, paddingID].compactMap(\.self))
        return vocabulary.tokens.indices.compactMap { id in
            guard !vocabulary.tokens[id].isEmpty else { return nil }
            switch vocabulary.kinds[id] {
            case .control: return (id, true)
            case .userDefined: return (id, named.contains(id))
            case .unknown, .normal, .unused, .byte: return named.contains(id) ? (id, true) : nil
            }
        }
    }

    /// The texts of the tokens with a name of their own, in the order of the names.
    var namedTokens: [(Name, String)] {
        let ids: [(Name, Int?)] = [
            ("bos_token", beginID), ("eos_token", endID), ("pad_token", paddingID),
            ("unk_token", unknownID),
        ]
        return ids.compactMap { name, id in id.map { (name, vocabulary.text(of: $0)) } }
    }
}
