internal import CheckpointIO

extension TemplateEvaluator {
    /// Applies a filter of Jinja, or Hugging Face's `tojson`.
    func filter(
        _ name: String,
        _ value: TemplateValue,
        _ arguments: TemplateCallArguments,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> TemplateValue {
        switch name {
        case "trim":
            var characters: String?
            if case .string(let given)? = arguments.value(0, "chars") { characters = given }
            return .string(Self.stripped(value.text, characters, left: true, right: true))
        case "upper": return .string(value.text.uppercased())
        case "lower": return .string(value.text.lowercased())
        case "capitalize": return .string(Self.capitalized(value.text))
        case "title": return .string(Self.titledWords(value.text))
        case "string": return .string(value.text)
        case "safe": return .string(value.text)
        case "default", "d":
            let isMissing: Bool = if case .undefined = value { true } else { false }
            let replacesFalse = arguments.value(1, "boolean")?.isTrue ?? false
            return isMissing || (replacesFalse && !value.isTrue)
                ? arguments.value(0, "default_value") ?? .string("") : value
        case "replace":
            guard let old = arguments.value(0, "old"), let new = arguments.value(1, "new") else {
                throw failed("replace takes two strings", place)
            }
            let count = arguments.value(2, "count")?.integer ?? -1
            return .string(Self.replaced(value.text, old.text, new.text, count))
        case "tojson": return try json(value, arguments, place)
        case "indent": return .string(Self.indented(value.text, arguments))
        case "int":
            return .integer(Self.integer(value) ?? arguments.value(0, "default")?.integer ?? 0)
        case "float":
            if case .string(let text) = value { return .float(Double(text) ?? 0) }
            return .float(value.number ?? 0)
        case "abs":
            if let integer = value.integer, integer != .min { return .integer(abs(integer)) }
            if let number = value.number { return .float(number.magnitude) }
            throw failed("\(value.typeName) has no magnitude", place)
        case "round":
            guard let number = value.number else {
                throw failed("\(value.typeName) cannot be rounded", place)
            }
            let digits = min(max(arguments.value(0, "precision")?.integer ?? 0, 0), 15)
            let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
            return .float((number * scale).rounded(.toNearestOrEven) / scale)
        default: return try listFilter(name, value, arguments, place)
        }
    }

    private func json(
        _ value: TemplateValue,
        _ arguments: TemplateCallArguments,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> TemplateValue {
        var separators: (item: String, key: String)?
        if let parts = arguments.named["separators"]?.sequence, parts.count == 2 {
            separators = (parts[0].text, parts[1].text)
        }
        // The first argument in its place is `ensure_ascii`, then `indent`.
        let indent = arguments.value(1, "indent")?.integer
        let text = value.json(
            indent: indent.map { min(max($0, 0), 16) },
            separators: separators,
            sortsKeys: arguments.value(3, "sort_keys")?.isTrue ?? false
        )
        guard let text else { throw failed("\(value.typeName) is not written in JSON", place) }
        return .string(text)
    }

    private static func integer(_ value: TemplateValue) -> Int? {
        switch value {
        case .string(let text):
            let trimmed = stripped(text, nil, left: true, right: true)
            return Int(trimmed) ?? Double(trimmed).flatMap { Int(exactly: $0.rounded(.towardZero)) }
        case .float(let number): return Int(exactly: number.rounded(.towardZero))
        default: return value.integer
        }
    }

    private static func indented(_ text: String, _ arguments: TemplateCallArguments) -> String {
        let width: String =
            switch arguments.value(0, "width") {
            case .string(let text): text
            case .some(let value):
                String(repeating: " ", count: min(max(value.integer ?? 4, 0), 64))
            case nil: "    "
            }
        let indentsFirst = arguments.value(1, "first")?.isTrue ?? false
        let indentsBlank = arguments.value(2, "blank")?.isTrue ?? false
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.enumerated().map { index, line in
            let isIndented = index == 0 ? indentsFirst : indentsBlank || !line.isEmpty
            return isIndented ? width + line : String(line)
        }.joined(separator: "\n")
    }

    /// Words with a large first letter, where blanks and opening brackets begin words: the filter differs
    /// from the method.
    private static func titledWords(_ text: String) -> String {
        var result = ""
        var isInside = false
        for scalar in text.unicodeScalars {
            let isBreak = scalar.properties.isWhitespace || "-({[<".unicodeScalars.contains(scalar)
            if isBreak {
                result.unicodeScalars.append(scalar)
            } else {
                let properties = scalar.properties
                result += isInside ? properties.lowercaseMapping : properties.uppercaseMapping
            }
            isInside = !isBreak
        }
        return result
    }

    // MARK: Lists

    private func listFilter(
        _ name: String,
        _ value: TemplateValue,
        _ arguments: TemplateCallArguments,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> TemplateValue {
        switch name {
        case "items":
            if case .undefined = value { return .list([]) }
            guard case .dictionary(let dictionary) = value else {
                throw failed("\(value.typeName) is no dictionary", place)
            }
            return .list(dictionary.entries.map { .tuple([$0.key, $0.value]) })
        case "dictsort":
            guard case .dictionary(let dictionary) = value else {
                throw failed("\(value.typeName) is no dictionary", place)
            }
            let sorted = dictionary.entries.sorted {
                ($0.key.text.lowercased(), $0.key.text) < ($1.key.text.lowercased(), $1.key.text)
            }
            return .list(sorted.map { .tuple([$0.key, $0.value]) })
        default: break
        }
        let elements = try elements(of: value, place)
        switch name {
        case "length", "count": return .integer(elements.count)
        case "list": return .list(elements)
        case "first": return elements.first ?? .undefined("the first of no elements")
        case "last": return elements.last ?? .undefined("the last of no elements")
        case "reverse":
            if case .string = value { return .string(elements.reversed().map(\.text).joined()) }
            return .list(elements.reversed())
        case "join":
            let attribute = arguments.value(1, "attribute")
            var texts: [String] = []
            for element in elements {
                texts.append(
                    try attribute.map { (key) throws(CheckpointError) in
                        try item(element, key, place)
                    }?.text ?? element.text
                )
            }
            return .string(texts.joined(separator: arguments.value(0, "d")?.text ?? ""))
        case "unique":
            var seen: [TemplateValue] = []
            for element in elements where !seen.contains(element) { seen.append(element) }
            return .list(seen)
        case "sum":
            let total = elements.reduce(0.0) { $0 + ($1.number ?? 0) }
            let areIntegers = elements.allSatisfy { $0.integer != nil }
            return areIntegers ? .integer(Int(exactly: total) ?? 0) : .float(total)
        case "min", "max", "sort": return try ordered(name, elements, arguments, place)
        case "map": return try mapped(elements, arguments, place)
        case "select", "reject", "selectattr", "rejectattr":
            return try selected(name, elements, arguments, place)
        default:
            throw CheckpointError.template(
                .templateUnsupported,
                "the filter '\(Name.printable(name))' is not known",
                place
            )
        }
    }

    private func ordered(
        _ name: String,
        _ elements: [TemplateValue],
        _ arguments: TemplateCallArguments,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> TemplateValue {
        let attribute = arguments.named["attribute"]
        var keyed: [(key: TemplateValue, element: TemplateValue)] = []
        for element in elements {
            var key = element
            if let attribute { key = try item(element, attribute, place) }
            // Case does not count unless it is asked for.
            if case .string(let text) = key,
                !(arguments.value(1, "case_sensitive")?.isTrue ?? false)
            {
                key = .string(text.lowercased())
            }
            keyed.append((key, element))
        }
        var failure: CheckpointError?
        keyed = keyed.enumerated().sorted { left, right in
            do throws(CheckpointError) {
                if try compare("<", left.element.key, right.element.key, place) { return true }
                if try compare("<", right.element.key, left.element.key, place) { return false }
            } catch {
                failure = failure ?? error
            }
            return left.offset < right.offset
        }.map(\.element)
        if let failure { throw failure }
        let sorted = keyed.map(\.element)
        switch name {
        case "min": return sorted.first ?? .undefined("the least of no elements")
        case "max": return sorted.last ?? .undefined("the largest of no elements")
        default:
            let isReversed = arguments.value(0, "reverse")?.isTrue ?? false
            return .list(isReversed ? sorted.reversed() : sorted)
        }
    }

    private func mapped(
        _ elements: [TemplateValue],
        _ arguments: TemplateCallArguments,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> TemplateValue {
        var results: [TemplateValue] = []
        if let attribute = arguments.named["attribute"] {
            for element in elements {
                let found = try item(element, attribute, place)
                if case .undefined = found, let fallback = arguments.named["default"] {
                    results.append(fallback)
                } else {
                    results.append(found)
                }
            }
            return .list(results)
        }
        guard case .string(let name)? = arguments.positional.first else {
            throw failed("map takes an attribute or a filter", place)
        }
        let rest = TemplateCallArguments(
            positional: Array(arguments.positional.dropFirst()),
            named: arguments.named
        )
        for element in elements { results.append(try filter(name, element, rest, place)) }
        return .list(results)
    }

    private func selected(
        _ name: String,
        _ elements: [TemplateValue],
        _ arguments: TemplateCallArguments,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> TemplateValue {
        let takesAttribute = name.hasSuffix("attr")
        let wanted = name.hasPrefix("select")
        var positional = arguments.positional[...]
        let attribute = takesAttribute ? positional.popFirst() : nil
        let testName = positional.popFirst()?.text
        let rest = TemplateCallArguments(positional: Array(positional))
        var results: [TemplateValue] = []
        for element in elements {
            var value = element
            if let attribute { value = try item(element, attribute, place) }
            let holds =
                try testName.map { (name) throws(CheckpointError) in
                    try test(name, value, rest, place)
                } ?? value.isTrue
            if holds == wanted { results.append(element) }
        }
        return .list(results)
    }

    // MARK: Tests

    /// Says whether `value is name(arguments)`.
    func test(
        _ name: String,
        _ value: TemplateValue,
        _ arguments: TemplateCallArguments,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> Bool {
        func other() throws(CheckpointError) -> TemplateValue {
            guard let value = arguments.positional.first else {
                throw failed("the test '\(name)' takes a value", place)
            }
            return value
        }
        switch (name, value) {
        case ("defined", .undefined): return false
        case ("defined", _): return true
        case ("undefined", .undefined): return true
        case ("undefined", _): return false
        case ("none", .none), ("true", .bool(true)), ("false", .bool(false)), ("string", .string),
            ("mapping", .dictionary), ("boolean", .bool), ("number", .bool), ("number", .integer),
            ("number", .float), ("integer", .integer), ("float", .float), ("iterable", .list),
            ("iterable", .tuple), ("sequence", .tuple), ("iterable", .string),
            ("iterable", .dictionary), ("sequence", .list),
            ("sequence", .string), ("sequence", .dictionary), ("callable", .macro),
            ("callable", .function), ("iterable", .undefined), ("sequence", .undefined):
            return true
        case ("none", _), ("true", _), ("false", _), ("string", _), ("mapping", _), ("boolean", _),
            ("number", _), ("integer", _), ("float", _), ("iterable", _), ("sequence", _),
            ("callable", _):
            return false
        case ("equalto", _), ("eq", _), ("==", _): return value == (try other())
        case ("ne", _), ("!=", _): return value != (try other())
        case ("in", _): return try compare("in", value, try other(), place)
        case ("lt", _), ("lessthan", _): return try compare("<", value, try other(), place)
        case ("le", _): return try compare("<=", value, try other(), place)
        case ("gt", _), ("greaterthan", _): return try compare(">", value, try other(), place)
        case ("ge", _): return try compare(">=", value, try other(), place)
        case ("odd", _), ("even", _), ("divisibleby", _):
            guard let integer = value.integer else {
                throw failed("\(value.typeName) is no integer", place)
            }
            guard name == "divisibleby" else { return (integer % 2 == 0) == (name == "even") }
            guard let divisor = try other().integer, divisor != 0 else {
                throw failed("the divisor is no number but 0", place)
            }
            return integer.isMultiple(of: divisor)
        case ("upper", _): return value.text == value.text.uppercased()
        case ("lower", _): return value.text == value.text.lowercased()
        default:
            throw CheckpointError.template(
                .templateUnsupported,
                "the test '\(Name.printable(name))' is not known",
                place
            )
        }
    }
}
