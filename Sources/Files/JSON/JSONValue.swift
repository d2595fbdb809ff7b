/// A JSON value.
///
/// Objects keep the order of their members, numbers their spelling.
public enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// Parses one JSON text.
    /// - Parameters:
    ///   - bytes: the whole text, in UTF-8.
    ///   - baseOffset: added to positions in errors: where the text begins in its file.
    /// - Throws: `CheckpointError` with a code `json.…` and the offset of the first defect.
    public init(parsing bytes: [UInt8], baseOffset: Int = 0) throws(CheckpointError) {
        var scanner = JSONScanner(bytes, baseOffset: baseOffset)
        self = try JSONTreeBuilder.value(startingWith: scanner.next(), from: &scanner)
        _ = try scanner.next()
    }

    /// Makes a number of an integer.
    public static func integer(_ value: Int) -> JSONValue { .number(JSONNumber(value)) }

    /// Makes a number with a fraction or an exponent.
    public static func double(_ value: Double) -> JSONValue { .number(JSONNumber(value)) }

    /// What the value is, in words, for messages.
    package var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

extension JSONValue: Equatable {
    /// Compares strings and keys byte by byte, numbers by spelling, objects with their order.
    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByIntegerLiteral
{
    /// Makes a string.
    public init(stringLiteral value: String) { self = .string(value) }

    /// Makes a boolean.
    public init(booleanLiteral value: Bool) { self = .bool(value) }

    /// Makes a list.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }

    /// Makes a number.
    public init(integerLiteral value: Int) { self = .integer(value) }
}
