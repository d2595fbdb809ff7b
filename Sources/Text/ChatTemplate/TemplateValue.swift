internal import CheckpointIO
internal import Synchronization

/// A value of a template, as Python has it.
indirect enum TemplateValue: Sendable {
    /// A name that there is not, with the name.
    case undefined(String)
    case none
    case bool(Bool)
    case integer(Int)
    case float(Double)
    case string(String)
    case list([TemplateValue])
    /// A list that Python writes with round brackets.
    case tuple([TemplateValue])
    case dictionary(TemplateDictionary)
    case namespace(TemplateNamespace)
    case macro(TemplateMacro)
    /// A function of the environment, by its name.
    case function(String)

    /// Makes a value of JSON.
    init(_ json: JSONValue) {
        switch json {
        case .null: self = .none
        case .bool(let value): self = .bool(value)
        case .number(let number):
            let isWritten = number.text.contains { $0 == "." || $0 == "e" || $0 == "E" }
            if !isWritten, let integer = number.integer {
                self = .integer(integer)
            } else {
                self = .float(number.double ?? .nan)
            }
        case .string(let text): self = .string(text)
        case .array(let elements): self = .list(elements.map(TemplateValue.init))
        case .object(let object):
            self = .dictionary(
                TemplateDictionary(
                    object.members.map { (.string($0.key.text), TemplateValue($0.value)) }
                )
            )
        }
    }

    /// What Python takes for true.
    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .float(let value): value != 0
        case .string(let text): !text.isEmpty
        case .list(let elements), .tuple(let elements): !elements.isEmpty
        case .dictionary(let dictionary): !dictionary.entries.isEmpty
        case .namespace, .macro, .function: true
        }
    }

    /// Its type, for messages.
    var typeName: String {
        switch self {
        case .undefined(let name): "\(Name.printable(name)), which is not defined,"
        case .none: "None"
        case .bool: "a boolean"
        case .integer, .float: "a number"
        case .string: "a string"
        case .list, .tuple: "a list"
        case .dictionary: "a dictionary"
        case .namespace: "a namespace"
        case .macro, .function: "a function"
        }
    }

    /// The elements of a list or a tuple.
    var sequence: [TemplateValue]? {
        switch self {
        case .list(let elements), .tuple(let elements): elements
        default: nil
        }
    }

    /// The number, booleans included.
    var number: Double? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .integer(let value): Double(value)
        case .float(let value): value
        default: nil
        }
    }

    /// The integer, booleans included.
    var integer: Int? {
        switch self {
        case .bool(let value): value ? 1 : 0
        case .integer(let value): value
        default: nil
        }
    }
}

/// A dictionary in the order in which its keys came.
struct TemplateDictionary: Sendable {
    private(set) var entries: [(key: TemplateValue, value: TemplateValue)] = []

    init(_ entries: [(TemplateValue, TemplateValue)] = []) {
        for (key, value) in entries { self[key] = value }
    }

    subscript(key: TemplateValue) -> TemplateValue? {
        get { entries.first { $0.key == key }?.value }
        set {
            guard let newValue else { return }
            if let place = entries.firstIndex(where: { $0.key == key }) {
                entries[place].value = newValue
            } else {
                entries.append((key, newValue))
            }
        }
    }
}

/// What `namespace()` makes: members that inner scopes can set.
final class TemplateNamespace: Sendable {
    private let members: Mutex<[String: TemplateValue]>

    init(_ members: [String: TemplateValue]) { self.members = Mutex(members) }

    subscript(name: String) -> TemplateValue? {
        get { members.withLock { $0[name] } }
        set { members.withLock { $0[name] = newValue } }
    }
}

extension TemplateValue: Equatable {
    /// As Python compares: numbers by value, whatever their type.
    static func == (left: TemplateValue, right: TemplateValue) -> Bool {
        if let left = left.number, let right = right.number { return left == right }
        return switch (left, right) {
        case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
        case (.none, .none), (.undefined, .undefined): true
        case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
            left == right
        case (.dictionary(let left), .dictionary(let right)):
            left.entries.count == right.entries.count
                && left.entries.allSatisfy { right[$0.key] == $0.value }
        case (.namespace(let left), .namespace(let right)): left === right
        default: false
        }
    }
}
