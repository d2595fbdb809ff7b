internal import CheckpointIO

/// Byte-pair encoding (Sennrich and others 2016): characters are merged pair by pair, in the order in
/// which training found the pairs, until none is left that merges.
struct BPEModel: Sendable {
    let vocabulary: Vocabulary
    private let merges: MergeTable
    /// Numbers of tokens of one character.
    private let characters: [UInt32: Int32]
    /// What stands for characters that are no token; nil leaves them out.
    private let unknown: Int32?
    /// Whether several of them become one.
    private let fusesUnknown: Bool
    /// For each byte the token that stands for it where its character is none; empty if there are none.
    private let byteTokens: [Int32]
    /// Whether a whole piece that is a token is taken as it is.
    private let ignoresMerges: Bool

    /// Reads the model of a `tokenizer.json`.
    /// - Throws: `tokenizer.vocab`, `tokenizer.merge`, `tokenizer.unsupported`.
    init(_ json: JSONObject) throws(CheckpointError) {
        // Old files do not name the type.
        let type = try json.optionalString("type") ?? "BPE"
        guard type == "BPE" else { throw CheckpointError.unknownComponent("model", type, json) }
        for key: Name in ["continuing_subword_prefix", "end_of_word_suffix"] {
            guard let text = try json.optionalString(key), !text.isEmpty else { continue }
            throw Self.unsupported(key, json)
        }
        if let dropout = try json.optionalDouble("dropout"), dropout != 0 {
            throw Self.unsupported("dropout", json)
        }
        vocabulary = try Vocabulary(try json.object("vocab"))
        ignoresMerges = try json.optionalBool("ignore_merges") ?? false
        fusesUnknown = try json.optionalBool("fuse_unk") ?? false
        if let text = try json.optionalString("unk_token") {
            guard let number = vocabulary[text.utf8] else {
                throw CheckpointError(
                    .tokenizerVocab,
                    "the unknown token is not in the vocabulary",
                    key: json.keyPath("unk_token"),
                    offset: json.member("unk_token")?.valueOffset
                )
            }
            unknown = number
        } else {
            unknown = nil
        }
        if try json.optionalBool("byte_fallback") ?? false {
            let vocabulary = vocabulary
            let tokens = (0..<256).map { vocabulary[Self.byteToken(UInt8($0)).utf8] ?? -1 }
            byteTokens = tokens
        } else {
            byteTokens = []
        }
        var characters: [UInt32: Int32] = [:]
        for (text, number) in vocabulary.all where text.utf8.count <= 4 {
            let scalars = text.text.unicodeScalars
            if let scalar = scalars.first, scalars.count == 1 {
                characters[scalar.value] = number
            }
        }
        self.characters = characters
        merges = try Self.merges(try json.array("merges"), vocabulary, path: json.keyPath("merges"))
    }

    private static func byteToken(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return "<0x\(byte < 16 ? "0" : "")\(digits)>"
    }

    private static func unsupported(_ key: Name, _ json: JSONObject) -> CheckpointError {
        CheckpointError(
            .tokenizerUnsupported,
            "a model with this setting is not known",
            key: json.keyPath(key),
            offset: json.member(key)?.valueOffset
        )
    }

    /// Reads pairs, written as `"a b"` or `["a", "b"]`.
    private static func merges(
        _ list: [JSONValue],
        _ vocabulary: Vocabulary,
        path: String
    ) throws(CheckpointError) -> MergeTable {
        var table = MergeTable(count: list.count)
        for (rank, value) in list.enumerated() {
            func error(_ message: String) -> CheckpointError {
                CheckpointError(.tokenizerMerge, "merge \(rank): \(message)", key: path)
            }
            let left: ArraySlice<UInt8>
            let right: ArraySlice<UInt8>
            switch value {
            case .string(let text):
                let parts = Array(text.utf8).split(
                    separator: UInt8(ascii: " "),
                    omittingEmptySubsequences: false
                )
                guard parts.count == 2 else { throw error("not a pair") }
                (left, right) = (parts[0], parts[1])
            case .array(let parts):
                guard parts.count == 2, case .string(let first) = parts[0],
                    case .string(let second) = parts[1]
                else { throw error("not a pair") }
                (left, right) = (Array(first.utf8)[...], Array(second.utf8)[...])
            default: throw error("not a pair")
            }
            guard let first = vocabulary[left], let second = vocabulary[right],
                let result = vocabulary[left + right]
            else {
                throw error("a part or the result is not in the vocabulary")
            }
            let merge = MergeTable.Merge(rank: UInt32(rank), token: result)
            guard table.add(first, second, merge) else { throw error("the pair occurs twice") }
        }
        return table
    }

    // MARK: Encoding

    /// Appends the tokens of a piece, which is valid UTF-8.
    func encode(_ piece: ArraySlice<UInt8>, into tokens: inout [Int32]) {
        if ignoresMerges, let number = vocabulary[piece] {
            tokens.append(number)
            return
        }
        var symbols = symbols(of: piece)
        if symbols.count < 128 {
            mergeByScanning(&symbols)
        } else {
            symbols = MergeQueue.merged(symbols, merges)
        }
        tokens += symbols
    }

    /// The tokens of the characters.
    private func symbols(of piece: ArraySlice<UInt8>) -> [Int32] {
        var symbols: [Int32] = []
        symbols.reserveCapacity(piece.count)
        var place = piece.startIndex
        while place < piece.endIndex {
            let (scalar, length) = Self.scalar(piece, at: place)
            let bytes = piece[place..<place + length]
            place += length
            if let number = characters[scalar] {
                symbols.append(number)
                continue
            }
            if !byteTokens.isEmpty, bytes.allSatisfy({ byteTokens[Int($0)] >= 0 }) {
                symbols += bytes.map { byteTokens[Int($0)] }
                continue
            }
            guard let unknown else { continue }
            if fusesUnknown, symbols.last == unknown { continue }
            symbols.append(unknown)
        }
        return symbols
    }

    /// Decodes a character of valid UTF-8.
    private static func scalar(
        _ bytes: ArraySlice<UInt8>,
        at place: Int
    ) -> (scalar: UInt32, length: Int) {
        let first = UInt32(bytes[place])
        if first < 0x80 { return (first, 1) }
        let length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
        var scalar = first & (0xFF >> UInt32(length + 1))
        for next in place + 1..<place + length { scalar = scalar << 6 | UInt32(bytes[next] & 0x3F) }
        return (scalar, length)
    }

    /// Merges the pair of lowest rank, the leftmost of them, until none is left.
    private func mergeByScanning(_ symbols: inout [Int32]) {
        guard symbols.count > 1 else { return }
        let none = MergeTable.Merge(rank: .max, token: 0)
        // For each symbol the merge with the next.
        var pairs = (0..<symbols.count - 1).map { merges[symbols[$0], symbols[$0 + 1]] ?? none }
        while true {
            var best = 0
            for place in pairs.indices where pairs[place].rank < pairs[best].rank { best = place }
            guard !pairs.isEmpty, pairs[best].rank != .max else { return }
            symbols[best] = pairs[best].token
            symbols.remove(at: best + 1)
            pairs.remove(at: best)
            if best > 0 { pairs[best - 1] = merges[symbols[best - 1], symbols[best]] ?? none }
            if best < pairs.count { pairs[best] = merges[symbols[best], symbols[best + 1]] ?? none }
        }
    }
}
