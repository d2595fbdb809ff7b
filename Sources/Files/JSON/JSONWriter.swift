/// How JSON text is laid out.
public struct JSONStyle: Hashable, Sendable {
    /// Spaces for each level; nil keeps everything on one line.
    public var indentation: Int?
    /// Puts keys in the order of their bytes, as `sort_keys=True` does.
    public var sortsKeys: Bool
    /// Puts a space behind commas and colons on one line.
    public var hasSpaces: Bool

    /// Makes a style.
    public init(indentation: Int? = nil, sortsKeys: Bool = false, hasSpaces: Bool = true) {
        self.indentation = indentation
        self.sortsKeys = sortsKeys
        self.hasSpaces = hasSpaces
    }

    /// `{"a": 1, "b": [1, 2]}`: Python's `json.dumps(value)`.
    public static let spaced = JSONStyle()
    /// `{"a":1,"b":[1,2]}`: for safetensors headers.
    public static let dense = JSONStyle(hasSpaces: false)
    /// One member a line: Python's `json.dumps(value, indent=2)`.
    public static let indented = JSONStyle(indentation: 2)
    /// As transformers writes `config.json`: `json.dumps(value, indent=2, sort_keys=True)`.
    public static let indentedAndSorted = JSONStyle(indentation: 2, sortsKeys: true)
}

extension JSONStyle {
    fileprivate var colon: String { indentation != nil || hasSpaces ? ": " : ":" }
    fileprivate var comma: String { indentation == nil && hasSpaces ? ", " : "," }
}

extension JSONValue {
    /// Returns the text of the value as Python's `json.dumps` lays it out: ASCII only, everything
    /// else as `\uXXXX`; numbers in their own spelling; no newline at the end.
    public func text(_ style: JSONStyle = .spaced) -> String {
        var writer = JSONWriter(style: style)
        writer.write(self, level: 0)
        return String(decoding: writer.output, as: UTF8.self)
    }
}

extension JSONObject {
    /// Returns the text of the object; see `JSONValue.text(_:)`.
    public func text(_ style: JSONStyle = .spaced) -> String {
        JSONValue.object(self).text(style)
    }
}

/// Writes values as text.
private struct JSONWriter {
    let style: JSONStyle
    var output: [UInt8] = []

    mutating func write(_ value: JSONValue, level: Int) {
        switch value {
        case .null: append("null")
        case .bool(let flag): append(flag ? "true" : "false")
        case .number(let number): append(number.text)
        case .string(let text): write(string: text.utf8)
        case .array(let elements):
            writeList(elements, in: "[]", level: level) { writer, element in
                writer.write(element, level: level + 1)
            }
        case .object(let object):
            let members =
                style.sortsKeys ? object.members.sorted { $0.key < $1.key } : object.members
            writeList(members, in: "{}", level: level) { writer, member in
                writer.write(string: member.key.text.utf8)
                writer.append(writer.style.colon)
                writer.write(member.value, level: level + 1)
            }
        }
    }

    private mutating func writeList<Item>(
        _ items: [Item],
        in brackets: String,
        level: Int,
        each: (inout JSONWriter, Item) -> Void
    ) {
        append(String(brackets.prefix(1)))
        for (index, item) in items.enumerated() {
            if index > 0 { append(style.comma) }
            breakLine(level: level + 1)
            each(&self, item)
        }
        if !items.isEmpty { breakLine(level: level) }
        append(String(brackets.suffix(1)))
    }

    private mutating func breakLine(level: Int) {
        guard let indentation = style.indentation else { return }
        append("\n" + String(repeating: " ", count: indentation * level))
    }

    private mutating func write(string: String.UTF8View) {
        append("\"")
        for unit in String(string).utf16 {
            switch unit {
            case 0x22: append("\\\"")
            case 0x5C: append("\\\\")
            case 0x0A: append("\\n")
            case 0x0D: append("\\r")
            case 0x09: append("\\t")
            case 0x08: append("\\b")
            case 0x0C: append("\\f")
            case 0x20...0x7E: output.append(UInt8(unit))
            default:
                let digits = String(unit, radix: 16)
                append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
            }
        }
        append("\"")
    }

    private mutating func append(_ text: String) {
        output.append(contentsOf: text.utf8)
    }
}
