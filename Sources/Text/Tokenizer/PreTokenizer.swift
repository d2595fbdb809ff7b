internal import CheckpointIO

/// How a text is cut into pieces, within which tokens are made.
indirect enum PreTokenizer: Sendable {
    case sequence([PreTokenizer])
    /// Bytes become characters of `ByteLevelAlphabet`, after the cut by a pattern if there is one.
    case byteLevel(addsPrefixSpace: Bool, SplitPattern?)
    case split(SplitPattern, SplitBehavior, inverts: Bool)
    /// Digits apart from other characters, each alone or in runs.
    case digits(SplitPattern)
    case metaspace(Metaspace)

    /// The pattern of GPT-2.
    private static let gpt2 =
        #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

    /// Reads a pre-tokenizer of a `tokenizer.json`.
    /// - Throws: `tokenizer.unsupported` with the name of one that is not known.
    init(_ json: JSONObject) throws(CheckpointError) {
        let type = try json.string("type")
        switch type {
        case "Sequence":
            self = .sequence(try json.components("pretokenizers", PreTokenizer.init))
        case "ByteLevel":
            let usesPattern = try json.optionalBool("use_regex") ?? true
            self = .byteLevel(
                addsPrefixSpace: try json.bool("add_prefix_space"),
                usesPattern ? try SplitPattern(Self.gpt2) : nil
            )
        case "Split":
            let name = try json.string("behavior")
            guard let behavior = SplitBehavior(rawValue: name) else {
                throw CheckpointError.unknownComponent("behavior", name, json)
            }
            self = .split(
                try json.pattern("pattern"),
                behavior,
                inverts: try json.optionalBool("invert") ?? false
            )
        case "Digits":
            let isIndividual = try json.optionalBool("individual_digits") ?? false
            self = .digits(try SplitPattern(isIndividual ? #"\p{N}"# : #"\p{N}+"#))
        case "Metaspace": self = .metaspace(try Metaspace(json))
        default: throw CheckpointError.unknownComponent("pre-tokenizer", type, json)
        }
    }

    /// Cuts pieces further.
    /// - Parameters:
    ///   - pieces: what is cut.
    ///   - isFirst: whether the first piece begins the whole text.
    /// - Throws: `tokenizer.pattern`.
    func apply(to pieces: inout TextPieces, isFirst: Bool) throws(CheckpointError) {
        switch self {
        case .sequence(let parts):
            for part in parts { try part.apply(to: &pieces, isFirst: isFirst) }
        case .byteLevel(let addsPrefixSpace, let pattern):
            let space = UInt8(ascii: " ")
            if addsPrefixSpace {
                pieces.rewrite { piece, result in
                    if piece.first != space { result.append(space) }
                    result += piece
                }
            }
            if let pattern { try SplitBehavior.isolated.cut(&pieces, pattern, inverts: false) }
            let characters = ByteLevelAlphabet.characters
            pieces.rewrite { piece, result in
                for byte in piece {
                    if byte > 0x20 && byte < 0x7F {
                        result.append(byte)
                    } else {
                        result += characters[Int(byte)]
                    }
                }
            }
        case .split(let pattern, let behavior, let inverts):
            try behavior.cut(&pieces, pattern, inverts: inverts)
        case .digits(let pattern):
            try SplitBehavior.isolated.cut(&pieces, pattern, inverts: false)
        case .metaspace(let metaspace): try metaspace.apply(to: &pieces, isFirst: isFirst)
        }
    }
}

/// What becomes of the matches of a pattern.
enum SplitBehavior: String, Sendable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"

    /// Cuts pieces at the matches of a pattern.
    /// - Parameters:
    ///   - pieces: what is cut.
    ///   - pattern: where.
    ///   - inverts: whether what lies between matches counts as matches.
    /// - Throws: `tokenizer.pattern`.
    func cut(
        _ pieces: inout TextPieces,
        _ pattern: SplitPattern,
        inverts: Bool
    ) throws(CheckpointError) {
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(pieces.bytes.count / 4)
        for piece in pieces.ranges {
            var parts: [(range: Range<Int>, isMatch: Bool)] = []
            var end = piece.lowerBound
            try pattern.forEachMatch(in: pieces.bytes, piece) { match in
                if end < match.lowerBound { parts.append((end..<match.lowerBound, inverts)) }
                parts.append((match, !inverts))
                end = match.upperBound
            }
            if end < piece.upperBound { parts.append((end..<piece.upperBound, inverts)) }
            join(parts, into: &ranges)
        }
        pieces.ranges = ranges
    }

    private func join(
        _ parts: [(range: Range<Int>, isMatch: Bool)],
        into ranges: inout [Range<Int>]
    ) {
        switch self {
        case .isolated: for part in parts { ranges.append(part.range) }
        case .removed: for part in parts where !part.isMatch { ranges.append(part.range) }
        case .mergedWithPrevious:
            var previousIsMatch = true
            var isFirst = true
            for part in parts {
                if part.isMatch, !previousIsMatch, !isFirst, let last = ranges.popLast() {
                    ranges.append(last.lowerBound..<part.range.upperBound)
                } else {
                    ranges.append(part.range)
                }
                (previousIsMatch, isFirst) = (part.isMatch, false)
            }
        case .mergedWithNext:
            var waiting: Int?
            for (index, part) in parts.enumerated() {
                let start = waiting ?? part.range.lowerBound
                waiting = nil
                if part.isMatch, index + 1 < parts.count, !parts[index + 1].isMatch {
                    waiting = start
                } else {
                    ranges.append(start..<part.range.upperBound)
                }
            }
        case .contiguous:
            var previousIsMatch: Bool?
            for part in parts {
                if previousIsMatch == part.isMatch, let last = ranges.popLast() {
                    ranges.append(last.lowerBound..<part.range.upperBound)
                } else {
                    ranges.append(part.range)
                }
                previousIsMatch = part.isMatch
            }
        }
    }
}

/// Spaces written as a visible character, with one put in front of the text or of every part of it.
struct Metaspace: Sendable {
    enum Prepending: String, Sendable {
        case always, first, never
    }

    let replacement: [UInt8]
    let prepending: Prepending
    /// Cuts before every replacement; nil cuts nowhere.
    let pattern: SplitPattern?

    init(_ json: JSONObject) throws(CheckpointError) {
        replacement = Array(try json.string("replacement").utf8)
        if let scheme = try json.optionalString("prepend_scheme") {
            guard let prepending = Prepending(rawValue: scheme) else {
                throw CheckpointError.unknownComponent("prepend_scheme", scheme, json)
            }
            self.prepending = prepending
        } else {
            prepending = try json.optionalBool("add_prefix_space") ?? true ? .always : .never
        }
        let splits = try json.optionalBool("split") ?? true
        pattern =
            splits
            ? try SplitPattern(literal: String(decoding: replacement, as: UTF8.self)) : nil
    }

    func apply(to pieces: inout TextPieces, isFirst: Bool) throws(CheckpointError) {
        var atStart = isFirst
        pieces.rewrite { piece, result in
            var text: [UInt8] = []
            for byte in piece {
                if byte == UInt8(ascii: " ") { text += replacement } else { text.append(byte) }
            }
            let prepends = prepending == .always || (prepending == .first && atStart)
            if prepends, !text.starts(with: replacement) { result += replacement }
            result += text
            atStart = false
        }
        guard let pattern else { return }
        try SplitBehavior.mergedWithNext.cut(&pieces, pattern, inverts: false)
    }
}
