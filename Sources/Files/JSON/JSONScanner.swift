/// Reads one JSON text token by token: RFC 8259 in UTF-8, and nothing more.
///
/// Checks encoding, syntax and depth as it goes, so the first defect in the text is the one
/// reported. It does not recurse and allocates nothing; duplicate keys are the consumer's to find,
/// because only it knows what it keeps.
package struct JSONScanner {
    /// Containers may be nested this deep.
    package static let depthLimit = 64

    /// A piece of the text.
    package enum Token {
        case beginObject
        case endObject
        case beginArray
        case endArray
        /// A key of the innermost object; its value comes next.
        case key(StringToken)
        case string(StringToken)
        /// A number, as spelled in these bytes.
        case number(Range<Int>)
        case bool(Bool)
        case null
        /// The text is over, and nothing but white space followed the value.
        case end
    }

    /// The bytes between the quotes of a string.
    package struct StringToken {
        package let range: Range<Int>
        package let hasEscapes: Bool
    }

    /// What the grammar allows next.
    private enum Expectation {
        case value
        case firstElement
        case firstKey
        case key
        case commaOrEnd
        case nothing
    }

    package let bytes: [UInt8]
    /// Added to positions in errors: where the text begins in its file.
    package let baseOffset: Int
    /// The position of the last token's first byte.
    package private(set) var tokenStart = 0
    private var position = 0
    private var expectation = Expectation.value
    private var depth = 0
    /// One bit for each open container, the innermost lowest: 1 for an object.
    private var openObjects: UInt64 = 0

    package init(_ bytes: [UInt8], baseOffset: Int = 0) {
        self.bytes = bytes
        self.baseOffset = baseOffset
    }

    /// The place of the last token in its file, for errors about its meaning.
    package var tokenOffset: UInt64 { UInt64(baseOffset + tokenStart) }

    /// The number of containers that are open.
    package var openContainerCount: Int { depth }

    /// Returns the next token.
    package mutating func next() throws(CheckpointError) -> Token {
        if position == 0 { try checkStart() }
        skipWhitespace()
        tokenStart = position
        switch expectation {
        case .value: return try value()
        case .firstElement:
            if peek() == UInt8(ascii: "]") { return close(.endArray) }
            return try value()
        case .firstKey:
            if peek() == UInt8(ascii: "}") { return close(.endObject) }
            return try key()
        case .key: return try key()
        case .commaOrEnd: return try afterValue()
        case .nothing:
            guard position == bytes.count else {
                try checkEncoding(at: position)
                throw error(.jsonTrailing, "text after the JSON value", at: position)
            }
            return .end
        }
    }

    /// Returns the content of a string, unescaped, in UTF-8.
    package func content(of token: StringToken) -> [UInt8] {
        guard token.hasEscapes else { return Array(bytes[token.range]) }
        return JSONEscapes.unescaped(bytes[token.range])
    }

    /// Returns the spelling of a number.
    package func spelling(of range: Range<Int>) -> String {
        String(decoding: bytes[range], as: UTF8.self)
    }

    // MARK: Grammar

    private mutating func afterValue() throws(CheckpointError) -> Token {
        let insideObject = openObjects & 1 == 1
        switch peek() {
        case UInt8(ascii: ","):
            position += 1
            skipWhitespace()
            tokenStart = position
            return insideObject ? try key() : try value()
        case UInt8(ascii: "}") where insideObject: return close(.endObject)
        case UInt8(ascii: "]") where !insideObject: return close(.endArray)
        default:
            throw unexpected(insideObject ? "\",\" or \"}\"" : "\",\" or \"]\"")
        }
    }

    private mutating func key() throws(CheckpointError) -> Token {
        guard peek() == UInt8(ascii: "\"") else { throw unexpected("a key in double quotes") }
        let start = position
        let token = try string()
        skipWhitespace()
        guard peek() == UInt8(ascii: ":") else { throw unexpected("\":\" after the key") }
        position += 1
        expectation = .value
        tokenStart = start
        return .key(token)
    }

    private mutating func value() throws(CheckpointError) -> Token {
        guard let first = peek() else { throw unexpected("a value") }
        switch first {
        case UInt8(ascii: "{"):
            try open(object: true)
            return .beginObject
        case UInt8(ascii: "["):
            try open(object: false)
            return .beginArray
        case UInt8(ascii: "\""):
            let token = try string()
            finishValue()
            return .string(token)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            let range = try number()
            finishValue()
            return .number(range)
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: throw unexpected("a value")
        }
    }

    private mutating func open(object: Bool) throws(CheckpointError) {
        guard depth < JSONScanner.depthLimit else {
            throw error(
                .jsonDepth,
                "nested deeper than \(JSONScanner.depthLimit) levels",
                at: position
            )
        }
        position += 1
        depth += 1
        openObjects = openObjects << 1 | (object ? 1 : 0)
        expectation = object ? .firstKey : .firstElement
    }

    private mutating func close(_ token: Token) -> Token {
        position += 1
        depth -= 1
        openObjects >>= 1
        finishValue()
        return token
    }

    private mutating func finishValue() {
        expectation = depth == 0 ? .nothing : .commaOrEnd
    }

    private mutating func literal(
        _ spelling: StaticString,
        _ token: Token
    ) throws(CheckpointError) -> Token {
        let expected = Array("\(spelling)".utf8)
        guard bytes.count - position >= expected.count,
            bytes[position..<position + expected.count].elementsEqual(expected)
        else { throw unexpected("a value") }
        position += expected.count
        finishValue()
        return token
    }

    // MARK: Strings

    /// Scans the string that begins at `position`, and leaves `position` behind it.
    private mutating func string() throws(CheckpointError) -> StringToken {
        let start = position + 1
        var index = start
        var hasEscapes = false
        while index < bytes.count {
            let byte = bytes[index]
            if byte >= 0x80 {
                index = try UTF8Validation.end(ofScalarAt: index, in: bytes, baseOffset: baseOffset)
            } else if byte == UInt8(ascii: "\"") {
                position = index + 1
                return StringToken(range: start..<index, hasEscapes: hasEscapes)
            } else if byte == UInt8(ascii: "\\") {
                hasEscapes = true
                index = try JSONEscapes.end(ofEscapeAt: index, in: bytes, baseOffset: baseOffset)
            } else if byte < 0x20 {
                throw error(.jsonSyntax, "a raw control character in a string", at: index)
            } else {
                index += 1
            }
        }
        throw error(.jsonSyntax, "the text ends inside a string", at: bytes.count)
    }

    // MARK: Numbers

    /// Scans the number that begins at `position`, and leaves `position` behind it.
    private mutating func number() throws(CheckpointError) -> Range<Int> {
        let start = position
        if peek() == UInt8(ascii: "-") { position += 1 }
        if peek() == UInt8(ascii: "0") {
            position += 1
            if let next = peek(), isDigit(next) {
                throw error(.jsonSyntax, "a number with a leading zero", at: start)
            }
        } else {
            try digits()
        }
        if peek() == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if let letter = peek(), letter | 0x20 == UInt8(ascii: "e") {
            position += 1
            if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
                position += 1
            }
            try digits()
        }
        return start..<position
    }

    private mutating func digits() throws(CheckpointError) {
        guard let first = peek(), isDigit(first) else { throw unexpected("a digit") }
        while let digit = peek(), isDigit(digit) { position += 1 }
    }

    private func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    // MARK: Bytes

    private func peek() -> UInt8? {
        position < bytes.count ? bytes[position] : nil
    }

    private mutating func skipWhitespace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    /// Refuses a byte order mark and UTF-16 or UTF-32, which would be syntax errors otherwise.
    private func checkStart() throws(CheckpointError) {
        let head = bytes.prefix(4)
        if head.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw error(.jsonEncoding, "the text begins with a byte order mark", at: 0)
        }
        if head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF])
            || head.prefix(2).contains(0) && head.contains(where: { $0 != 0 })
        {
            throw error(.jsonEncoding, "the text is UTF-16 or UTF-32, not UTF-8", at: 0)
        }
    }

    /// Reports bytes that are not UTF-8 as such, also where they stand outside of strings.
    private func checkEncoding(at index: Int) throws(CheckpointError) {
        guard index < bytes.count, bytes[index] >= 0x80 else { return }
        _ = try UTF8Validation.end(ofScalarAt: index, in: bytes, baseOffset: baseOffset)
    }

    private func unexpected(_ wanted: String) -> CheckpointError {
        do throws(CheckpointError) {
            try checkEncoding(at: position)
        } catch {
            return error
        }
        let message =
            position < bytes.count ? "\(wanted) expected" : "the text ends where \(wanted) is due"
        return error(.jsonSyntax, message, at: position)
    }

    private func error(
        _ code: CheckpointError.Code,
        _ message: String,
        at index: Int
    ) -> CheckpointError {
        CheckpointError(code, message, offset: UInt64(baseOffset + index))
    }
}
