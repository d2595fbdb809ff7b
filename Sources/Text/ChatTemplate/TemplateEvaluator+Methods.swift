internal import CheckpointIO

extension TemplateEvaluator {
    /// Calls a method that Python's types have; nil if there is none of that name.
    func method(
        _ name: String,
        of object: TemplateValue,
        _ arguments: TemplateCallArguments,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> TemplateValue? {
        switch object {
        case .undefined(let missing):
            throw failed("\(Name.printable(missing)) is not defined", place)
        case .string(let text): return try method(name, of: text, arguments, place)
        case .dictionary(let dictionary): return Self.method(name, of: dictionary, arguments)
        case .list(let elements), .tuple(let elements):
            return try method(name, of: elements, arguments, place)
        default: return nil
        }
    }

    private static func method(
        _ name: String,
        of dictionary: TemplateDictionary,
        _ arguments: TemplateCallArguments
    ) -> TemplateValue? {
        switch name {
        case "items": return .list(dictionary.entries.map { .tuple([$0.key, $0.value]) })
        case "keys": return .list(dictionary.entries.map(\.key))
        case "values": return .list(dictionary.entries.map(\.value))
        case "get":
            let key = arguments.positional.first ?? .none
            return dictionary[key] ?? arguments.value(1, "default") ?? TemplateValue.none
        case "copy": return .dictionary(dictionary)
        default: return nil
        }
    }

    private func method(
        _ name: String,
        of elements: [TemplateValue],
        _ arguments: TemplateCallArguments,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> TemplateValue? {
        switch name {
        case "index":
            guard let value = arguments.positional.first,
                let index = elements.firstIndex(of: value)
            else { throw failed("the list has no such element", place) }
            return .integer(index)
        case "count":
            let value = arguments.positional.first ?? .none
            return .integer(elements.count { $0 == value })
        case "copy": return .list(elements)
        case "append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse":
            throw failed("lists of a template cannot be changed: '\(name)'", place)
        default: return nil
        }
    }

    private func method(
        _ name: String,
        of text: String,
        _ arguments: TemplateCallArguments,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> TemplateValue? {
        func string(_ index: Int, _ name: String) throws(CheckpointError) -> String? {
            switch arguments.value(index, name) {
            case nil, .some(.none): return nil
            case .string(let value): return value
            case .some(let other): throw failed("\(other.typeName) is no string", place)
            }
        }
        switch name {
        case "strip", "lstrip", "rstrip":
            let characters = try string(0, "chars")
            return .string(
                Self.stripped(text, characters, left: name != "rstrip", right: name != "lstrip")
            )
        case "upper": return .string(text.uppercased())
        case "lower": return .string(text.lowercased())
        case "capitalize": return .string(Self.capitalized(text))
        case "title": return .string(Self.titled(text))
        case "startswith", "endswith":
            let parts: [TemplateValue]
            switch arguments.positional.first {
            case .list(let several), .tuple(let several): parts = several
            case .some(let one): parts = [one]
            case nil: throw failed("\(name) takes a string", place)
            }
            return .bool(
                parts.contains { part in
                    guard case .string(let part) = part else { return false }
                    let (bytes, own) = (Array(text.utf8), Array(part.utf8))
                    return name == "startswith"
                        ? bytes.starts(with: own) : bytes.suffix(own.count).elementsEqual(own)
                }
            )
        case "removeprefix", "removesuffix":
            let (bytes, own) = (Array(text.utf8), Array((try string(0, "part") ?? "").utf8))
            if name == "removeprefix", bytes.starts(with: own) {
                return .string(String(decoding: bytes.dropFirst(own.count), as: UTF8.self))
            }
            if name == "removesuffix", bytes.suffix(own.count).elementsEqual(own) {
                return .string(String(decoding: bytes.dropLast(own.count), as: UTF8.self))
            }
            return .string(text)
        case "replace":
            guard let old = try string(0, "old"), let new = try string(1, "new") else {
                throw failed("replace takes two strings", place)
            }
            return .string(
                Self.replaced(text, old, new, arguments.value(2, "count")?.integer ?? -1)
            )
        case "split", "rsplit":
            let limit = arguments.value(1, "maxsplit")?.integer ?? -1
            let separator = try string(0, "sep")
            if separator == "" { throw failed("a separator is empty", place) }
            let parts = Self.split(text, separator, limit, fromEnd: name == "rsplit")
            return .list(parts.map { .string($0) })
        case "splitlines":
            var lines = text.replacing("\r\n", with: "\n").split(
                separator: "\n",
                omittingEmptySubsequences: false
            ).map(String.init)
            if lines.last == "" { lines.removeLast() }
            return .list(lines.map { .string($0) })
        case "join":
            let elements = try elements(of: arguments.positional.first ?? .none, place)
            var texts: [String] = []
            for element in elements {
                guard case .string(let text) = element else {
                    throw failed("\(element.typeName) cannot be joined", place)
                }
                texts.append(text)
            }
            return .string(texts.joined(separator: text))
        case "find", "index", "count":
            let part = Array((try string(0, "sub") ?? "").utf8)
            let bytes = Array(text.utf8)
            if name == "count" { return .integer(Self.count(part, in: bytes)) }
            guard let found = firstPlace(of: part, in: bytes, from: 0) else {
                if name == "find" { return .integer(-1) }
                throw failed("the text is not there", place)
            }
            let before = String(decoding: bytes[..<found], as: UTF8.self)
            return .integer(before.unicodeScalars.count)
        case "isdigit":
            return .bool(
                !text.isEmpty
                    && text.unicodeScalars.allSatisfy {
                        $0.properties.numericType != nil
                            && $0.properties.generalCategory != .otherNumber
                    }
            )
        case "isalpha":
            return .bool(!text.isEmpty && text.unicodeScalars.allSatisfy { Self.isLetter($0) })
        case "isspace":
            return .bool(
                !text.isEmpty && text.unicodeScalars.allSatisfy { $0.properties.isWhitespace }
            )
        case "isupper": return .bool(text != text.lowercased() && text == text.uppercased())
        case "islower": return .bool(text != text.uppercased() && text == text.lowercased())
        default: return nil
        }
    }

    // MARK: Texts

    static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
            true
        default: false
        }
    }

    static func stripped(
        _ text: String,
        _ characters: String?,
        left: Bool,
        right: Bool
    ) -> String {
        var scalars = text.unicodeScalars[...]
        let set = characters.map { Set($0.unicodeScalars) }
        func isStripped(_ scalar: Unicode.Scalar) -> Bool {
            set?.contains(scalar)
                ?? (scalar.properties.isWhitespace || 0x1C...0x1F ~= scalar.value)
        }
        while left, let first = scalars.first, isStripped(first) { scalars.removeFirst() }
        while right, let last = scalars.last, isStripped(last) { scalars.removeLast() }
        return String(scalars)
    }

    static func capitalized(_ text: String) -> String {
        guard let first = text.unicodeScalars.first else { return text }
        let rest = String(text.unicodeScalars.dropFirst())
        return first.properties.titlecaseMapping + rest.lowercased()
    }

    static func titled(_ text: String) -> String {
        var result = ""
        var isInside = false
        for scalar in text.unicodeScalars {
            result +=
                isInside ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
            isInside = isLetter(scalar)
        }
        return result
    }

    static func replaced(_ text: String, _ old: String, _ new: String, _ limit: Int) -> String {
        let (bytes, part, other) = (Array(text.utf8), Array(old.utf8), Array(new.utf8))
        guard !part.isEmpty, limit != 0 else { return text }
        var result: [UInt8] = []
        var place = 0
        var count = 0
        while limit < 0 || count < limit, let found = firstPlace(of: part, in: bytes, from: place) {
            result += bytes[place..<found]
            result += other
            place = found + part.count
            count += 1
        }
        return String(decoding: result + bytes[place...], as: UTF8.self)
    }

    private static func count(_ part: [UInt8], in bytes: [UInt8]) -> Int {
        guard !part.isEmpty else { return bytes.count + 1 }
        var (place, count) = (0, 0)
        while let found = firstPlace(of: part, in: bytes, from: place) {
            count += 1
            place = found + part.count
        }
        return count
    }

    private static func split(
        _ text: String,
        _ separator: String?,
        _ limit: Int,
        fromEnd: Bool
    ) -> [String] {
        var parts: [String]
        if let separator {
            parts = []
            let (bytes, part) = (Array(text.utf8), Array(separator.utf8))
            var place = 0
            while let found = firstPlace(of: part, in: bytes, from: place) {
                parts.append(String(decoding: bytes[place..<found], as: UTF8.self))
                place = found + part.count
            }
            parts.append(String(decoding: bytes[place...], as: UTF8.self))
            guard limit >= 0, parts.count > limit + 1 else { return parts }
            let extra = parts.count - limit - 1
            return fromEnd
                ? [parts[...extra].joined(separator: separator)] + parts[(extra + 1)...]
                : Array(parts[..<limit]) + [parts[limit...].joined(separator: separator)]
        }
        // Runs of white space, none at the ends.
        var rest = stripped(text, nil, left: true, right: true).unicodeScalars[...]
        parts = []
        while !rest.isEmpty {
            if limit >= 0, parts.count == limit {
                parts.append(String(rest))
                break
            }
            let word = rest.prefix { !$0.properties.isWhitespace }
            parts.append(String(word))
            rest = rest.dropFirst(word.count).drop { $0.properties.isWhitespace }
        }
        return parts
    }
}
