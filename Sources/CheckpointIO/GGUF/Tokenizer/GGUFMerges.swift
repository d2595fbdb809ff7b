/// The merges of byte-pair encoding, best first.
struct GGUFMerges {
    /// Two tokens that become one.
    typealias Pair = (left: ArraySlice<UInt8>, right: ArraySlice<UInt8>)

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
            pairs = GGUFMerges.implied(by: vocabulary, scores: scores)
        } else {
            throw vocabulary.file.missingKey("tokenizer.ggml.merges")
        }
    }

    /// Cuts each text at its space, and checks that both parts and the whole are tokens.
    private static func parsed(
        _ lines: GGUFStrings,
        vocabulary: GGUFVocabulary
    ) throws(CheckpointError) -> [Pair] {
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
            let pair = (left: line[..<space], right: line[(space + 1)...])
            guard ids[pair.left] != nil, ids[pair.right] != nil,
                ids[(pair.left + pair.right)[...]] != nil
            else {
                throw vocabulary.file.mergeError(
                    "merge \(index) has a part or a result that is not in the vocabulary"
                )
            }
            guard seen.insert(line).inserted else {
                throw vocabulary.file.mergeError("merge \(index) occurs twice")
            }
            pairs.append(pair)
        }
        return pairs
    }

    /// Finds every way to make a token of two, and puts the tokens of higher score first.
    ///
    /// As the slow-to-fast converter of transformers does: within one token the pair with the lower
    /// ids comes first; among equal scores, longer left parts, then longer right parts.
    private static func implied(by vocabulary: GGUFVocabulary, scores: [Float]) -> [Pair] {
        var candidates: [(pair: Pair, score: Float, leftLength: Int, rightLength: Int)] = []
        for (id, token) in vocabulary.tokens.enumerated() {
            guard vocabulary.isMergeable(id) else { continue }
            let length = characterCount(of: token)
            var ways: [(pair: Pair, leftID: Int, rightID: Int, leftLength: Int)] = []
            var leftLength = 0
            for cut in token.indices.dropFirst() where token[cut] & 0xC0 != 0x80 {
                leftLength += 1
                let pair = (left: token[..<cut], right: token[cut...])
                guard let leftID = vocabulary.ids[pair.left],
                    let rightID = vocabulary.ids[pair.right]
                else { continue }
                ways.append((pair, leftID, rightID, leftLength))
            }
            ways.sort { ($0.leftID, $0.rightID) < ($1.leftID, $1.rightID) }
            for way in ways {
                candidates.append(
                    (way.pair, scores[id], way.leftLength, length - way.leftLength)
                )
            }
        }
        // The sort of the standard library is stable.
        candidates.sort {
            ($0.score, $0.leftLength, $0.rightLength) > ($1.score, $1.leftLength, $1.rightLength)
        }
        return candidates.map(\.pair)
    }

    private static func characterCount(of token: ArraySlice<UInt8>) -> Int {
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
