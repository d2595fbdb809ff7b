internal import CheckpointIO

/// Tokens that are found in a text before anything else cuts it.
struct AddedTokens: Sendable {
    struct Token: Sendable {
        let number: Int32
        let text: [UInt8]
        /// What is looked for: the text, normalized if the token is.
        fileprivate(set) var pattern: [UInt8]
        /// Found only where no letter, digit or underscore stands beside it.
        let isWord: Bool
        /// Takes white space before or behind it with it.
        let stripsLeft: Bool
        let stripsRight: Bool
        /// Looked for in normalized text.
        let isNormalized: Bool
        /// Left out of decoded text, if that is asked for.
        let isSpecial: Bool
    }

    /// All tokens, in the order of the file.
    let tokens: [Token]
    /// Positions in `tokens`, by the first byte of what is looked for, longest first.
    private let plain: [UInt8: [Int]]
    private let normalized: [UInt8: [Int]]

    /// Reads the added tokens of a `tokenizer.json`.
    /// - Throws: `tokenizer.addedToken`, and what normalizing throws.
    init(
        _ list: [JSONObject],
        _ normalizer: Normalizer?
    ) throws(CheckpointError) {
        var tokens: [Token] = []
        var numbers: [Int: Name] = [:]
        for json in list {
            let text = try json.string("content")
            let number = try json.integer("id")
            guard !text.isEmpty, 0...1 << 24 ~= number else {
                throw CheckpointError(
                    .tokenizerAddedToken,
                    "an added token is empty or its number out of range",
                    key: json.path
                )
            }
            if let other = numbers.updateValue(Name(text), forKey: number), other != Name(text) {
                throw CheckpointError(
                    .tokenizerAddedToken,
                    "\(other) has the number \(number), too",
                    key: json.path
                )
            }
            let isSpecial = try json.optionalBool("special") ?? false
            var token = Token(
                number: Int32(number),
                text: Array(text.utf8),
                pattern: Array(text.utf8),
                isWord: try json.optionalBool("single_word") ?? false,
                stripsLeft: try json.optionalBool("lstrip") ?? false,
                stripsRight: try json.optionalBool("rstrip") ?? false,
                isNormalized: try json.optionalBool("normalized") ?? !isSpecial,
                isSpecial: isSpecial
            )
            if token.isNormalized, let normalizer {
                token.pattern = try normalizer.apply(to: token.text)
            }
            tokens.append(token)
        }
        self.tokens = tokens
        plain = Self.index(tokens) { !$0.isNormalized }
        normalized = Self.index(tokens) { $0.isNormalized }
    }

    private static func index(
        _ tokens: [Token],
        _ isWanted: (Token) -> Bool
    ) -> [UInt8: [Int]] {
        var index: [UInt8: [Int]] = [:]
        for (place, token) in tokens.enumerated() where isWanted(token) {
            guard let first = token.pattern.first else { continue }
            index[first, default: []].append(place)
        }
        return index.mapValues { places in
            places.sorted { tokens[$0].pattern.count > tokens[$1].pattern.count }
        }
    }

    /// A part of a text: an added token, or what lies between.
    struct Part {
        let range: Range<Int>
        let token: Int32?
    }

    /// Cuts a text at added tokens: leftmost first, longest of those that begin together.
    /// - Parameters:
    ///   - text: UTF-8.
    ///   - isNormalized: which tokens to look for.
    /// - Returns: the parts in their order; together they are the text.
    func parts(of text: [UInt8], isNormalized: Bool) -> [Part] {
        let index = isNormalized ? normalized : plain
        guard !text.isEmpty else { return [] }
        guard !index.isEmpty else { return [Part(range: 0..<text.count, token: nil)] }
        var isFirstByte = [Bool](repeating: false, count: 256)
        for byte in index.keys { isFirstByte[Int(byte)] = true }
        var parts: [Part] = []
        var end = 0
        var place = 0
        while place < text.count {
            guard isFirstByte[Int(text[place])], let found = match(index, text, place) else {
                place += 1
                continue
            }
            let token = tokens[found]
            var range = place..<place + token.pattern.count
            place = range.upperBound
            if token.isWord, !Self.isWord(range, in: text) { continue }
            if token.stripsLeft {
                let start = max(Self.startOfSpace(before: range.lowerBound, in: text), end)
                range = start..<range.upperBound
            }
            if token.stripsRight {
                range = range.lowerBound..<Self.endOfSpace(from: range.upperBound, in: text)
            }
            // Space that was taken may hold what was matched again.
            if range.lowerBound < end { range = end..<max(end, range.upperBound) }
            if end < range.lowerBound {
                parts.append(Part(range: end..<range.lowerBound, token: nil))
            }
            parts.append(Part(range: range, token: token.number))
            end = range.upperBound
        }
        if end < text.count { parts.append(Part(range: end..<text.count, token: nil)) }
        return parts
    }

    private func match(_ index: [UInt8: [Int]], _ text: [UInt8], _ place: Int) -> Int? {
        index[text[place]]?.first { text[place...].starts(with: tokens[$0].pattern) }
    }

    // MARK: What stands beside a token

    private static func isWord(_ range: Range<Int>, in text: [UInt8]) -> Bool {
        let before = text[..<range.lowerBound].lastScalar
        let after = text[range.upperBound...].firstScalar
        return !(before.map(isWordCharacter) ?? false) && !(after.map(isWordCharacter) ?? false)
    }

    private static func isWordCharacter(_ scalar: Unicode.Scalar) -> Bool {
        let properties = scalar.properties
        return switch properties.generalCategory {
        case .decimalNumber, .connectorPunctuation, .nonspacingMark, .spacingMark, .enclosingMark:
            true
        default: properties.isAlphabetic || scalar.value == 0x200C || scalar.value == 0x200D
        }
    }

    private static func startOfSpace(before place: Int, in text: [UInt8]) -> Int {
        var start = place
        while let scalar = text[..<start].lastScalar, scalar.properties.isWhitespace {
            start -= UTF8.width(scalar)
        }
        return start
    }

    private static func endOfSpace(from place: Int, in text: [UInt8]) -> Int {
        var end = place
        while let scalar = text[end...].firstScalar, scalar.properties.isWhitespace {
            end += UTF8.width(scalar)
        }
        return end
    }
}

extension ArraySlice<UInt8> {
    /// The first character of valid UTF-8.
    fileprivate var firstScalar: Unicode.Scalar? {
        String(decoding: prefix(4), as: UTF8.self).unicodeScalars.first
    }

    /// The last character of valid UTF-8.
    fileprivate var lastScalar: Unicode.Scalar? {
        guard var start = indices.last else { return nil }
        while start > startIndex, self[start] & 0xC0 == 0x80 { start -= 1 }
        return String(decoding: self[start...], as: UTF8.self).unicodeScalars.first
    }
}
