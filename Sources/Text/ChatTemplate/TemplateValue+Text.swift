internal import CheckpointIO

extension TemplateValue {
    /// The text that Python's `str` makes of it; nothing of what is not defined.
    var text: String {
        switch self {
        case .undefined: ""
        case .string(let text): text
        default: representation
        }
    }

    /// The text that Python's `repr` makes of it.
    var representation: String {
        switch self {
        case .undefined: "Undefined"
        case .none: "None"
        case .bool(let value): value ? "True" : "False"
        case .integer(let value): "\(value)"
        case .float(let value): Self.text(of: value)
        case .string(let text): Self.quoted(text)
        case .list(let elements): "[\(elements.map(\.representation).joined(separator: ", "))]"
        case .tuple(let elements):
            "(\(elements.map(\.representation).joined(separator: ", "))"
                + (elements.count == 1 ? ",)" : ")")
        case .dictionary(let dictionary):
            "{"
                + dictionary.entries.map { "\($0.key.representation): \($0.value.representation)" }
                .joined(separator: ", ") + "}"
        case .namespace: "<Namespace>"
        case .macro(let macro): "<Macro '\(macro.name)'>"
        case .function(let name): "<function \(name)>"
        }
    }

    /// A float as Python writes it: the shortest digits that give it back.
    static func text(of value: Double) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        let magnitude = value.magnitude
        let isPlain = magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e16)
        let shortest = "\(value)"
        guard let exponent = shortest.firstIndex(of: "e") else {
            if isPlain { return shortest }
            return scientific(shortest)
        }
        if !isPlain {
            // Python writes two digits of the exponent at least.
            let digits = shortest[shortest.index(after: exponent)...]
            let sign = digits.first == "-" ? "-" : "+"
            let number = digits.drop { $0 == "-" || $0 == "+" }
            var mantissa = String(shortest[..<exponent])
            if mantissa.hasSuffix(".0") { mantissa.removeLast(2) }
            return "\(mantissa)e\(sign)\(number.count < 2 ? "0" : "")\(number)"
        }
        return plain(shortest)
    }

    /// Moves the point of `1.5e-05` to where it belongs.
    private static func plain(_ text: String) -> String {
        let parts = text.split(separator: "e")
        guard parts.count == 2, let exponent = Int(parts[1]) else { return text }
        let isNegative = parts[0].first == "-"
        let mantissa = parts[0].drop { $0 == "-" }.split(separator: ".")
        var digits = mantissa.joined()
        var point = (mantissa.first?.count ?? 1) + exponent
        while digits.hasSuffix("0"), digits.count > point, digits.count > 1 { digits.removeLast() }
        if point <= 0 {
            digits = String(repeating: "0", count: 1 - point) + digits
            point = 1
        }
        if digits.count <= point {
            digits += String(repeating: "0", count: point - digits.count + 1)
        }
        let split = digits.index(digits.startIndex, offsetBy: point)
        return (isNegative ? "-" : "") + digits[..<split] + "." + digits[split...]
    }

    private static func scientific(_ text: String) -> String {
        let isNegative = text.first == "-"
        let parts = text.drop { $0 == "-" }.split(separator: ".")
        let digits = String(parts.joined())
        guard let first = digits.firstIndex(where: { $0 != "0" }) else { return text }
        let exponent =
            (parts.first?.count ?? 1) - 1
            - digits.distance(from: digits.startIndex, to: first)
        var mantissa = String(digits[first...])
        while mantissa.hasSuffix("0"), mantissa.count > 1 { mantissa.removeLast() }
        let head = mantissa.removeFirst()
        let sign = exponent < 0 ? "-" : "+"
        let number = "\(exponent.magnitude)"
        return (isNegative ? "-" : "") + "\(head)\(mantissa.isEmpty ? "" : "." + mantissa)e\(sign)"
            + (number.count < 2 ? "0" : "") + number
    }

    /// A string as Python's `repr` quotes it.
    private static func quoted(_ text: String) -> String {
        let quote: Unicode.Scalar = text.contains("'") && !text.contains("\"") ? "\"" : "'"
        var result = String.UnicodeScalarView([quote])
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            case "\r": result.append(contentsOf: "\\r".unicodeScalars)
            case "\t": result.append(contentsOf: "\\t".unicodeScalars)
            case "\\": result.append(contentsOf: "\\\\".unicodeScalars)
            case quote: result.append(contentsOf: "\\\(quote)".unicodeScalars)
            default:
                if scalar.value < 0x20 || scalar.value == 0x7F {
                    let digits = String(scalar.value, radix: 16)
                    let padded = (digits.count < 2 ? "0" : "") + digits
                    result.append(contentsOf: "\\x\(padded)".unicodeScalars)
                } else {
                    result.append(scalar)
                }
            }
        }
        result.append(quote)
        return String(result)
    }

    // MARK: JSON

    /// What Python's `json.dumps(value, ensure_ascii=False)` writes; nil of what JSON has not.
    /// - Parameters:
    ///   - indent: so many blanks for each level, and line breaks; nil writes one line.
    ///   - level: the level it begins on.
    ///   - separators: between elements, and behind keys.
    ///   - sortsKeys: orders dictionaries by their keys.
    /// - Returns: the text; nil if a part of the value has none in JSON.
    func json(
        indent: Int? = nil,
        level: Int = 0,
        separators: (item: String, key: String)? = nil,
        sortsKeys: Bool = false
    ) -> String? {
        let item = separators?.item ?? (indent == nil ? ", " : ",")
        let key = separators?.key ?? ": "
        func joined(_ parts: [String], _ open: String, _ close: String) -> String {
            guard !parts.isEmpty else { return open + close }
            guard let indent else { return open + parts.joined(separator: item) + close }
            let inner = "\n" + String(repeating: " ", count: indent * (level + 1))
            let outer = "\n" + String(repeating: " ", count: indent * level)
            return open + inner + parts.joined(separator: item + inner) + outer + close
        }
        func nested(_ value: TemplateValue) -> String? {
            value.json(
                indent: indent,
                level: level + 1,
                separators: separators,
                sortsKeys: sortsKeys
            )
        }
        switch self {
        case .none: return "null"
        case .bool(let value): return value ? "true" : "false"
        case .integer, .float:
            return text.replacing("nan", with: "NaN").replacing("inf", with: "Infinity")
        case .string(let text): return Self.jsonString(text)
        case .list(let elements), .tuple(let elements):
            let parts = elements.compactMap(nested)
            return parts.count == elements.count ? joined(parts, "[", "]") : nil
        case .dictionary(let dictionary):
            var entries = dictionary.entries
            if sortsKeys { entries.sort { $0.key.text < $1.key.text } }
            let parts = entries.compactMap { entry -> String? in
                let name: String? =
                    switch entry.key {
                    case .string(let text): text
                    case .none, .bool, .integer, .float: entry.key.json()
                    default: nil
                    }
                guard let name, let value = nested(entry.value) else { return nil }
                return Self.jsonString(name) + key + value
            }
            return parts.count == entries.count ? joined(parts, "{", "}") : nil
        case .undefined, .namespace, .macro, .function: return nil
        }
    }

    private static func jsonString(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{8}": result += "\\b"
            case "\u{C}": result += "\\f"
            default:
                if scalar.value < 0x20 {
                    let digits = String(scalar.value, radix: 16)
                    result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}
