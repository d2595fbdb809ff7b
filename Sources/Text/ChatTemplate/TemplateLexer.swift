internal import CheckpointIO

/// A piece of a template.
struct TemplateToken: Sendable {
    enum Kind: Sendable, Equatable {
        /// Text that is written as it stands.
        case text(String)
        /// `{{`, `}}`, `{%`, `%}`.
        case beginOutput
        case endOutput
        case beginStatement
        case endStatement
        case name(String)
        case string(String)
        case integer(Int)
        case float(Double)
        /// An operator or a bracket.
        case symbol(String)
        case end
    }

    let kind: Kind
    let place: TemplatePlace
}

/// Cuts a template into tokens, with the rules for white space of Hugging Face's environment: the first
/// line break behind a statement vanishes (`trim_blocks`), and the blanks before one that begins a line
/// (`lstrip_blocks`).
struct TemplateLexer {
    private let text: [Unicode.Scalar]
    private var place = 0
    private var line = 1
    private var lineStart = 0
    private(set) var tokens: [TemplateToken] = []

    private static let symbols = [
        "//", "**", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")",
        "[",
        "]", "{", "}", ",", ".", ":", "|",
    ]

    /// Cuts a template.
    /// - Throws: `template.syntax`, with line and column.
    init(_ template: String) throws(CheckpointError) {
        // As Jinja does: line breaks are one character, and the last one is left out.
        var scalars: [Unicode.Scalar] = []
        var previous: Unicode.Scalar = " "
        for scalar in template.unicodeScalars {
            if scalar == "\n", previous == "\r" {
                // The other half of a break that is there already.
            } else {
                scalars.append(scalar == "\r" ? "\n" : scalar)
            }
            previous = scalar
        }
        if scalars.last == "\n" { scalars.removeLast() }
        text = scalars
        try readAll()
    }

    private var here: TemplatePlace {
        TemplatePlace(line: line, column: place - lineStart + 1)
    }

    private func at(_ word: String, _ offset: Int = 0) -> Bool {
        let scalars = Array(word.unicodeScalars)
        let start = place + offset
        return start + scalars.count <= text.count
            && text[start..<start + scalars.count].elementsEqual(scalars)
    }

    private mutating func advance(_ count: Int) {
        for _ in 0..<count {
            if text[place] == "\n" {
                line += 1
                lineStart = place + 1
            }
            place += 1
        }
    }

    private mutating func add(_ kind: TemplateToken.Kind) {
        tokens.append(TemplateToken(kind: kind, place: here))
    }

    private mutating func readAll() throws(CheckpointError) {
        var content: [Unicode.Scalar] = []
        while place < text.count {
            guard at("{{") || at("{%") || at("{#") else {
                content.append(text[place])
                advance(1)
                continue
            }
            let isOutput = at("{{")
            let isComment = at("{#")
            let strips = place + 2 < text.count && text[place + 2] == "-"
            let keeps = place + 2 < text.count && text[place + 2] == "+"
            if strips {
                while let last = content.last, last.properties.isWhitespace { content.removeLast() }
            } else if !isOutput, !keeps {
                stripBlanks(&content)
            }
            give(&content)
            if isComment {
                try skipComment()
                continue
            }
            let isRaw = !isOutput && isRawStatement(strips || keeps ? 3 : 2)
            add(isOutput ? .beginOutput : .beginStatement)
            advance(strips || keeps ? 3 : 2)
            try readInside(isOutput ? "}}" : "%}", isOutput ? .endOutput : .endStatement)
            if isRaw { try readRaw(&content) }
        }
        give(&content)
        add(.end)
    }

    private mutating func give(_ content: inout [Unicode.Scalar]) {
        guard !content.isEmpty else { return }
        add(.text(String(String.UnicodeScalarView(content))))
        content = []
    }

    /// Takes the blanks from the beginning of a line before a statement.
    private func stripBlanks(_ content: inout [Unicode.Scalar]) {
        var end = content.count
        while end > 0, content[end - 1] == " " || content[end - 1] == "\t" { end -= 1 }
        // Only where nothing else stands in the line: behind a tag there may be no text at all.
        let beginsLine =
            end > 0
            ? content[end - 1] == "\n"
            : place - content.count == 0 || text[place - content.count - 1] == "\n"
        if beginsLine { content.removeLast(content.count - end) }
    }

    private mutating func skipComment() throws(CheckpointError) {
        let start = here
        while place < text.count, !at("#}") { advance(1) }
        guard place < text.count else {
            throw CheckpointError.template(.templateSyntax, "a comment does not end", start)
        }
        let strips = text[place - 1] == "-"
        advance(2)
        finishTag(strips: strips, trims: true)
    }

    /// Takes white space behind a tag.
    private mutating func finishTag(strips: Bool, trims: Bool) {
        if strips {
            while place < text.count, text[place].properties.isWhitespace { advance(1) }
        } else if trims, place < text.count, text[place] == "\n" {
            advance(1)
        }
    }

    private func isRawStatement(_ offset: Int) -> Bool {
        var offset = offset
        while place + offset < text.count, text[place + offset].properties.isWhitespace {
            offset += 1
        }
        return at("raw", offset)
            && !(place + offset + 3 < text.count && Self.isNamePart(text[place + offset + 3]))
    }

    /// Takes everything up to `{% endraw %}` as text.
    private mutating func readRaw(_ content: inout [Unicode.Scalar]) throws(CheckpointError) {
        // The statement itself says nothing.
        while let last = tokens.popLast(), last.kind != .beginStatement {}
        let start = here
        while place < text.count {
            guard at("{%") else {
                content.append(text[place])
                advance(1)
                continue
            }
            var offset = 2
            let strips = place + offset < text.count && text[place + offset] == "-"
            if strips { offset += 1 }
            while place + offset < text.count, text[place + offset].properties.isWhitespace {
                offset += 1
            }
            guard at("endraw", offset) else {
                content.append(text[place])
                advance(1)
                continue
            }
            if strips {
                while let last = content.last, last.properties.isWhitespace { content.removeLast() }
            } else {
                stripBlanks(&content)
            }
            advance(offset + 6)
            while place < text.count, text[place].properties.isWhitespace { advance(1) }
            let stripsBehind = at("-%}")
            guard stripsBehind || at("%}") else { break }
            advance(stripsBehind ? 3 : 2)
            finishTag(strips: stripsBehind, trims: true)
            return
        }
        throw CheckpointError.template(.templateSyntax, "raw text does not end", start)
    }

    // MARK: Inside of tags

    private mutating func readInside(
        _ end: String,
        _ kind: TemplateToken.Kind
    ) throws(CheckpointError) {
        let start = here
        var depth = 0
        while place < text.count {
            let scalar = text[place]
            if scalar.properties.isWhitespace {
                advance(1)
                continue
            }
            if depth == 0, at(end) || at("-" + end) || at("+" + end) {
                let strips = scalar == "-"
                add(kind)
                advance(at(end) ? 2 : 3)
                finishTag(strips: strips, trims: kind == .endStatement)
                return
            }
            if scalar == "\"" || scalar == "'" {
                try readString(scalar)
            } else if "0"..."9" ~= scalar {
                try readNumber()
            } else if Self.isNameStart(scalar) {
                readName()
            } else if let symbol = Self.symbols.first(where: { at($0) }) {
                if ["(", "[", "{"].contains(symbol) { depth += 1 }
                if [")", "]", "}"].contains(symbol) { depth -= 1 }
                add(.symbol(symbol))
                advance(symbol.unicodeScalars.count)
            } else {
                throw CheckpointError.template(
                    .templateSyntax,
                    "the character \(Name.printable(String(scalar))) has no meaning",
                    here
                )
            }
        }
        throw CheckpointError.template(.templateSyntax, "the tag does not end", start)
    }

    private static func isNameStart(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_" || scalar.properties.isXIDStart
    }

    private static func isNamePart(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_" || scalar.properties.isXIDContinue
    }

    private mutating func readName() {
        let start = place
        var end = place
        while end < text.count, Self.isNamePart(text[end]) { end += 1 }
        add(.name(String(String.UnicodeScalarView(text[start..<end]))))
        advance(end - start)
    }

    private mutating func readNumber() throws(CheckpointError) {
        var end = place
        var isFloat = false
        while end < text.count {
            let scalar = text[end]
            if "0"..."9" ~= scalar || scalar == "_" {
                end += 1
            } else if scalar == ".", !isFloat, end + 1 < text.count, "0"..."9" ~= text[end + 1] {
                isFloat = true
                end += 1
            } else if scalar == "e" || scalar == "E", end + 1 < text.count,
                "0"..."9" ~= text[end + 1] || text[end + 1] == "-" || text[end + 1] == "+"
            {
                isFloat = true
                end += 2
            } else {
                break
            }
        }
        let digits = String(String.UnicodeScalarView(text[place..<end].filter { $0 != "_" }))
        if isFloat, let value = Double(digits) {
            add(.float(value))
        } else if let value = Int(digits) {
            add(.integer(value))
        } else {
            throw CheckpointError.template(.templateSyntax, "\(digits) is no number", here)
        }
        advance(end - place)
    }

    private mutating func readString(_ quote: Unicode.Scalar) throws(CheckpointError) {
        let start = here
        var value = String.UnicodeScalarView()
        let token = tokens.count
        tokens.append(TemplateToken(kind: .end, place: start))
        advance(1)
        while place < text.count, text[place] != quote {
            if text[place] == "\\" {
                try readEscape(&value)
            } else {
                value.append(text[place])
                advance(1)
            }
        }
        guard place < text.count else {
            throw CheckpointError.template(.templateSyntax, "a string does not end", start)
        }
        advance(1)
        tokens[token] = TemplateToken(kind: .string(String(value)), place: start)
    }

    private mutating func readEscape(
        _ value: inout String.UnicodeScalarView
    ) throws(CheckpointError) {
        let escapes: [Unicode.Scalar: Unicode.Scalar] = [
            "n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", "\"": "\"", "0": "\0",
            "b": "\u{8}", "f": "\u{C}", "v": "\u{B}", "a": "\u{7}",
        ]
        guard place + 1 < text.count else { return advance(1) }
        let next = text[place + 1]
        if let escaped = escapes[next] {
            value.append(escaped)
            return advance(2)
        }
        let length = next == "x" ? 2 : next == "u" ? 4 : next == "U" ? 8 : 0
        if length > 0 {
            let end = min(place + 2 + length, text.count)
            let digits = String(String.UnicodeScalarView(text[place + 2..<end]))
            guard digits.count == length, let code = UInt32(digits, radix: 16),
                let scalar = Unicode.Scalar(code)
            else {
                throw CheckpointError.template(.templateSyntax, "an escape is broken", here)
            }
            value.append(scalar)
            return advance(2 + length)
        }
        // Python keeps the backslash of what is no escape; one before a line break joins the lines.
        if next != "\n" {
            value.append("\\")
            value.append(next)
        }
        advance(2)
    }
}
