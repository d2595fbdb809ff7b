internal import Containers
internal import Files

/// The merges of byte-pair encoding, best first.
struct GGUFMerges {
    /// The ids of two tokens that become one.
    typealias Pair = (left: Int32, right: Int32)

    /// Merges of one tokenizer.
    static let limit = 1 << 21
    /// Bytes of a token of which the ways to make it are looked for, all of them.
    static let impliedTokenLimit = 128

    /// The pairs in the order in which they apply.
    let pairs: [Pair]

    /// Takes the merges of the file, or finds those that the scores imply: higher is earlier.
    init(
        vocabulary: GGUFVocabulary,
        scores: [Float]?
    ) throws(CheckpointError) {
        if let lines = try vocabulary.file.strings("tokenizer.ggml.merges") {
            pairs = try GGUFMerges.parsed(lines, vocabulary: vocabulary)
        } else if let scores {
            pairs = try GGUFMerges.implied(by: vocabulary, scores: scores)
        } else {
            throw vocabulary.file.missingKey("tokenizer.ggml.merges")
        }
    }

    /// Cuts each text at its space, and checks that both parts and the whole are tokens.
    private static func parsed(
        _ lines: GGUFStrings,
        vocabulary: GGUFVocabulary
    ) throws(CheckpointError) -> [Pair] {
        guard lines.count <= limit else {
            throw vocabulary.file.mergeError("more than \(limit) merges")
        }
        var pairs: [Pair] = []
        pairs.reserveCapacity(lines.count)
        var seen: Set<ArraySlice<UInt8>> = []
        seen.reserveCapacity(lines.count)
        let ids = vocabulary.ids
        for (index, line) in lines.enumerated() {
            // A token may itself start with a space.
            guard let space = line.dropFirst().firstIndex(of: 0x20) else {
                throw vocabulary.file.mergeError("merge \(index) is not a pair")
            }
            let (left, right) = (line[..<space], line[(space + 1)...])
            guard let leftID = ids[left], let rightID = ids[right],
                ids[(left + right)[...]] != nil
            else {
                throw vocabulary.file.mergeError(
                    "merge \(index) has a part or a result that is not in the vocabulary"
                )
            }
            guard seen.insert(line).inserted else {
                throw vocabulary.file.mergeError("merge \(index) occurs twice")
            }
            pairs.append((Int32(leftID), Int32(rightID)))
        }
        return pairs
    }

    /// Finds every way to make a token of two, and puts the tokens of higher score first.
    ///
    /// As the slow-to-fast converter of transformers does: within one token the pair with the lower
    /// ids comes first; among equal scores, longer left parts, then longer right parts.
    private static func implied(
        by vocabulary: GGUFVocabulary,
        scores: [Float]
    ) throws(CheckpointError) -> [Pair] {
        var candidates: [(pair: Pair, score: Float, leftLength: Int32, rightLength: Int32)] = []
        for (id, token) in vocabulary.tokens.enumerated() where vocabulary.isMergeable(id) {
            guard token.count <= impliedTokenLimit else {
                throw vocabulary.file.vocabularyError(
                    "token \(id) is longer than \(impliedTokenLimit) bytes, and there are no merges"
                )
            }
            let length = characterCount(of: token)
            var ways: [(pair: Pair, leftLength: Int32)] = []
            var leftLength: Int32 = 0
            for cut in token.indices.dropFirst() where token[cut] & 0xC0 != 0x80 {
                leftLength += 1
                guard let leftID = vocabulary.ids[token[..<cut]],
                    let rightID = vocabulary.ids[token[cut...]]
                else { continue }
                ways.append(((Int32(leftID), Int32(rightID)), leftLength))
            }
            ways.sort { ($0.pair.left, $0.pair.right) < ($1.pair.left, $1.pair.right) }
            for way in ways {
                candidates.append((way.pair, scores[id], way.leftLength, length - way.leftLength))
            }
            guard candidates.count <= limit else {
                throw vocabulary.file.mergeError("the scores imply more than \(limit) merges")
            }
        }
        // Equals keep their order: the standard library does not promise that of its sort.
        let order = candidates.indices.sorted { first, second in
            let (left, right) = (candidates[first], candidates[second])
            return (left.score, left.leftLength, left.rightLength, second)
                > (right.score, right.leftLength, right.rightLength, first)
        }
        return order.map { candidates[$0].pair }
    }

    private static func characterCount(of token: ArraySlice<UInt8>) -> Int32 {
        token.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
    }
}

extension GGUFVocabulary {
    /// Whether text may be merged into a token: not so for controls and bytes.
    fileprivate func isMergeable(_ id: Int) -> Bool {
        switch kinds[id] {
        case .normal, .userDefined, .unused: true
        case .unknown, .control, .byte: false
        }
    }
}

extension GGUFFile {
    /// Returns an error about the merges.
    fileprivate func mergeError(_ message: String) -> CheckpointError {
        CheckpointError(
            .tokenizerMerge,
            message,
            file: source.fileName,
            key: "tokenizer.ggml.merges"
        )
    }
}
