internal import Containers
public import Files

/// The tokenizers that GGUF files name, and the components of `tokenizer.json` that they mean.
enum GGUFTokenizerKind: Hashable {
    /// Byte-pair encoding over bytes spelled as characters (`tokenizer.ggml.model` is `gpt2`).
    case byteLevel(GGUFPreTokenizer)
    /// sentencepiece's byte-pair encoding (`llama`), with a space before the text or without.
    case sentencePiece(addsSpace: Bool)
    /// The same, with the space put there before anything else happens.
    case sentencePieceWithPrefix
    /// The same as Gemma has it: never a space before the text.
    case gemma

    /// Reads what the file names.
    /// - Throws: `tokenizer.unsupported` with the name.
    init(file: GGUFFile, model: String, architecture: GGUFArchitecture) throws(CheckpointError) {
        switch (model, architecture) {
        case ("gpt2", _):
            self = .byteLevel(try GGUFPreTokenizer(of: file))
        case ("llama", .gemma2):
            self = .gemma
        case ("llama", .phi3):
            self = .sentencePieceWithPrefix
        case ("llama", _):
            self = .sentencePiece(
                addsSpace: try file.bool("tokenizer.ggml.add_space_prefix") ?? true
            )
        default:
            throw file.unsupportedTokenizer("tokenizer.ggml.model", found: model)
        }
    }

    /// Whether text starts with `<s>` or its like if the file does not say.
    var addsBeginningByDefault: Bool {
        switch self {
        case .byteLevel(let preTokenizer): preTokenizer.addsBeginningByDefault
        case .sentencePiece, .sentencePieceWithPrefix, .gemma: true
        }
    }

    /// The value of `normalizer`.
    var normalizer: JSONValue {
        let replace: JSONValue = [
            "type": "Replace", "pattern": ["String": " "], "content": "▁",
        ]
        switch self {
        case .byteLevel(let preTokenizer): return preTokenizer.normalizer
        case .sentencePiece: return .null
        case .sentencePieceWithPrefix:
            let prepend: JSONValue = ["type": "Prepend", "prepend": "▁"]
            return ["type": "Sequence", "normalizers": .array([prepend, replace])]
        case .gemma: return replace
        }
    }

    /// The value of `pre_tokenizer`.
    var preTokenizer: JSONValue {
        switch self {
        case .byteLevel(let preTokenizer): preTokenizer.json
        case .sentencePiece(let addsSpace):
            [
                "type": "Metaspace", "replacement": "▁",
                "prepend_scheme": addsSpace ? "first" : "never", "split": false,
            ]
        case .sentencePieceWithPrefix: .null
        case .gemma:
            [
                "type": "Split", "pattern": ["String": " "],
                "behavior": "MergedWithPrevious", "invert": false,
            ]
        }
    }

    /// The value of `decoder`.
    var decoder: JSONValue {
        if case .byteLevel = self {
            return [
                "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
                "use_regex": true,
            ]
        }
        var steps: [JSONValue] = [
            ["type": "Replace", "pattern": ["String": "▁"], "content": " "],
            ["type": "ByteFallback"],
            ["type": "Fuse"],
        ]
        if self == .sentencePiece(addsSpace: true) || self == .sentencePieceWithPrefix {
            steps.append(["type": "Strip", "content": " ", "start": 1, "stop": 0])
        }
        return ["type": "Sequence", "decoders": .array(steps)]
    }

    /// Whether unknown characters are spelled in bytes.
    var hasByteFallback: Bool {
        if case .byteLevel = self { return false }
        return true
    }

    /// Whether a word that is a token is taken as it is, whatever the merges say.
    var ignoresMerges: Bool {
        if case .byteLevel(let preTokenizer) = self { return preTokenizer.ignoresMerges }
        return false
    }
}

extension JSONValue: ExpressibleByDictionaryLiteral {
    /// Makes an object.
    public init(dictionaryLiteral elements: (Name, JSONValue)...) {
        self = .object(JSONObject(elements))
    }
}

extension GGUFFile {
    /// Returns the error of a tokenizer that is not known.
    func unsupportedTokenizer(_ key: Name, found: String) -> CheckpointError {
        CheckpointError(
            .tokenizerUnsupported,
            "no tokenizer.json can be made for this tokenizer",
            file: source.fileName,
            key: key.text,
            offset: entry(key).map { UInt64($0.valueOffset) },
            found: found,
            hint: "without `readsTokenizer` the weights are converted alone"
        )
    }
}
