internal import Containers
internal import Files

/// How byte-level tokenizers cut text before merging, by the names of `tokenizer.ggml.pre`.
enum GGUFPreTokenizer: Hashable {
    /// GPT-2's pattern, built into byte-level pre-tokenizers.
    case gpt2
    /// The same, after every digit has been set apart.
    case digits
    /// Llama 3's pattern; a whole word that is a token is never merged.
    case llama3
    /// The same pattern with ordinary merging.
    case dbrx
    /// Llama 3's pattern with single digits, and text in normal form C.
    case qwen2
    /// The pattern of Mistral's Tekken.
    case tekken
    /// The pattern of GPT-4o.
    case gpt4o

    /// Reads what a file names.
    /// - Throws: `tokenizer.unsupported` with the name.
    init(of file: GGUFFile) throws(CheckpointError) {
        let key: Name = "tokenizer.ggml.pre"
        let name = try file.string(key) ?? "default"
        switch name {
        case "default", "gpt-2", "gpt2", "phi-2", "mpt", "olmo", "jais", "trillion": self = .gpt2
        case "smollm", "starcoder", "refact", "codeshell": self = .digits
        case "llama3", "llama-v3", "llama-bpe", "falcon3", "pixtral": self = .llama3
        case "dbrx", "smaug-bpe": self = .dbrx
        case "qwen2", "deepseek-r1-qwen", "megrez": self = .qwen2
        case "tekken": self = .tekken
        case "gpt-4o": self = .gpt4o
        default: throw file.unsupportedTokenizer(key, found: name)
        }
    }

    /// The value of `normalizer`.
    var normalizer: JSONValue { self == .qwen2 ? ["type": "NFC"] : .null }

    /// Whether text starts with a token of its own if the file does not say.
    var addsBeginningByDefault: Bool { self == .llama3 || self == .tekken }

    /// Whether a word that is a token is taken as it is.
    var ignoresMerges: Bool { self == .llama3 || self == .tekken }

    /// The value of `pre_tokenizer`.
    var json: JSONValue {
        switch self {
        case .gpt2: byteLevel(usesPattern: true)
        case .digits:
            [
                "type": "Sequence",
                "pretokenizers": .array([
                    ["type": "Digits", "individual_digits": true],
                    byteLevel(usesPattern: true),
                ]),
            ]
        case .llama3, .dbrx: split(Self.contractions + Self.words + "|\\p{N}{1,3}" + Self.rest)
        case .qwen2: split(Self.contractions + Self.words + "|\\p{N}" + Self.rest)
        case .tekken: split(Self.casedWords(suffix: "") + "|\\p{N}" + Self.restWithSlashes)
        case .gpt4o:
            split(
                Self.casedWords(suffix: "(?i:'s|'t|'re|'ve|'m|'ll|'d)?") + "|\\p{N}{1,3}"
                    + Self.restWithSlashes
            )
        }
    }

    private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
    private static let words = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
    private static let rest = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
    private static let restWithSlashes =
        "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

    /// Words that end where small letters are followed by a capital.
    private static func casedWords(suffix: String) -> String {
        let capitals = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
        let smalls = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
        return "[^\\r\\n\\p{L}\\p{N}]?\(capitals)*\(smalls)+\(suffix)"
            + "|[^\\r\\n\\p{L}\\p{N}]?\(capitals)+\(smalls)*\(suffix)"
    }

    private func split(_ pattern: String) -> JSONValue {
        let pattern: JSONValue = ["Regex": .string(pattern)]
        return [
            "type": "Sequence",
            "pretokenizers": .array([
                ["type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": false],
                byteLevel(usesPattern: false),
            ]),
        ]
    }

    private func byteLevel(usesPattern: Bool) -> JSONValue {
        [
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
            "use_regex": .bool(usesPattern),
        ]
    }
}
