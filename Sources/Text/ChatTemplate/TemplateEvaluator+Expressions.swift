internal import CheckpointIO

extension TemplateEvaluator {
    /// Returns the value of an expression.
    mutating func evaluate(
        _ expression: TemplateExpression
    ) throws(CheckpointError) -> TemplateValue {
        let place = expression.place
        try step(place)
        switch expression.kind {
        case .constant(let value): return value
        case .name(let name):
            return value(of: name)
                ?? (Self.functions.contains(name) ? .function(name) : .undefined(name))
        case .list(let elements):
            var values: [TemplateValue] = []
            for element in elements { values.append(try evaluate(element)) }
            return .list(values)
        case .tuple(let elements):
            var values: [TemplateValue] = []
            for element in elements { values.append(try evaluate(element)) }
            return .tuple(values)
        case .dictionary(let entries):
            var values: [(TemplateValue, TemplateValue)] = []
            for entry in entries {
                values.append((try evaluate(entry.key), try evaluate(entry.value)))
            }
            return .dictionary(TemplateDictionary(values))
        case .member(let object, let name):
            return try item(evaluate(object), .string(name), place)
        case .item(let object, let key):
            return try item(evaluate(object), evaluate(key), place)
        case .slice(let object, let start, let end, let stride):
            return try slice(evaluate(object), start, end, stride, place)
        case .call(let callee, let arguments): return try call(callee, arguments, place)
        case .filter(let name, let value, let arguments):
            let own = try evaluate(arguments)
            return try filter(name, evaluate(value), own, place)
        case .test(let name, let value, let arguments, let isNegated):
            let own = try evaluate(arguments)
            return .bool(try test(name, evaluate(value), own, place) != isNegated)
        case .unary(let sign, let operand): return try unary(sign, evaluate(operand), place)
        case .binary("and", let left, let right):
            let value = try evaluate(left)
            return value.isTrue ? try evaluate(right) : value
        case .binary("or", let left, let right):
            let value = try evaluate(left)
            return value.isTrue ? value : try evaluate(right)
        case .binary(let operation, let left, let right):
            return try binary(operation, evaluate(left), evaluate(right), place)
        case .comparison(let first, let parts):
            var left = try evaluate(first)
            for (operation, operand) in parts {
                let right = try evaluate(operand)
                guard try compare(operation, left, right, place) else { return .bool(false) }
                left = right
            }
            return .bool(true)
        case .conditional(let condition, let yes, let no):
            if try evaluate(condition).isTrue { return try evaluate(yes) }
            return try no.map { (no) throws(CheckpointError) in try evaluate(no) }
                ?? .undefined("the value of a condition without else")
        }
    }

    mutating func evaluate(
        _ arguments: TemplateArguments
    ) throws(CheckpointError) -> TemplateCallArguments {
        var values = TemplateCallArguments()
        for argument in arguments.positional { values.positional.append(try evaluate(argument)) }
        for (name, value) in arguments.named { values.named[name] = try evaluate(value) }
        return values
    }

    // MARK: Parts of values

    /// An element, a member or a character; what is not there is undefined.
    func item(
        _ object: TemplateValue,
        _ key: TemplateValue,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> TemplateValue {
        switch object {
        case .undefined(let name):
            throw failed("\(Name.printable(name)) is not defined", place)
        case .dictionary(let dictionary): return dictionary[key] ?? .undefined(key.text)
        case .namespace(let namespace): return namespace[key.text] ?? .undefined(key.text)
        case .list(let elements), .tuple(let elements):
            guard let index = key.integer else { return .undefined(key.text) }
            let place = index < 0 ? index + elements.count : index
            return elements.indices ~= place ? elements[place] : .undefined("element \(index)")
        case .string(let text):
            guard let index = key.integer else { return .undefined(key.text) }
            let scalars = Array(text.unicodeScalars)
            let place = index < 0 ? index + scalars.count : index
            return scalars.indices ~= place
                ? .string(String(scalars[place])) : .undefined("character \(index)")
        default: return .undefined(key.text)
        }
    }

    private mutating func slice(
        _ object: TemplateValue,
        _ start: TemplateExpression?,
        _ end: TemplateExpression?,
        _ stride: TemplateExpression?,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> TemplateValue {
        func integer(
            _ expression: TemplateExpression?,
            _ own: inout Self
        ) throws(CheckpointError) -> Int? {
            guard let expression else { return nil }
            let value = try own.evaluate(expression)
            if case .none = value { return nil }
            guard let integer = value.integer else {
                throw own.failed("a slice goes from number to number", place)
            }
            return integer
        }
        let step = try integer(stride, &self) ?? 1
        guard step != 0 else { throw failed("a slice has no step of 0", place) }
        let (from, to) = (try integer(start, &self), try integer(end, &self))
        let elements = try elements(of: object, place)
        let count = elements.count
        func bounded(_ index: Int, _ low: Int, _ high: Int) -> Int {
            min(
                max(index < 0 ? index.addingReportingOverflow(count).partialValue : index, low),
                high
            )
        }
        let (low, high) = step > 0 ? (0, count) : (-1, count - 1)
        var index = from.map { bounded($0, low, high) } ?? (step > 0 ? 0 : count - 1)
        let last = to.map { bounded($0, low, high) } ?? (step > 0 ? count : -1)
        var result: [TemplateValue] = []
        while step > 0 ? index < last : index > last {
            result.append(elements[index])
            let (next, overflow) = index.addingReportingOverflow(step)
            guard !overflow else { break }
            index = next
        }
        return switch object {
        case .string: .string(result.map(\.text).joined())
        case .tuple: .tuple(result)
        default: .list(result)
        }
    }

    // MARK: Operators

    private func unary(
        _ sign: String,
        _ value: TemplateValue,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> TemplateValue {
        if sign == "not" { return .bool(!value.isTrue) }
        if let integer = value.integer {
            let (negative, overflow) = (0).subtractingReportingOverflow(integer)
            if sign == "+" { return .integer(integer) }
            if !overflow { return .integer(negative) }
        } else if let number = value.number {
            return .float(sign == "-" ? -number : number)
        }
        throw failed("\(value.typeName) has no sign", place)
    }

    private func binary(
        _ operation: String,
        _ left: TemplateValue,
        _ right: TemplateValue,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> TemplateValue {
        if operation == "~" { return .string(left.text + right.text) }
        switch (operation, left, right) {
        case ("+", .string(let left), .string(let right)): return .string(left + right)
        case ("+", .list(let left), .list(let right)): return .list(left + right)
        case ("+", .tuple(let left), .tuple(let right)): return .tuple(left + right)
        case ("*", .string(let text), _):
            guard let count = right.integer, text.utf8.count * max(count, 0) <= 1 << 24 else {
                break
            }
            return .string(String(repeating: text, count: max(count, 0)))
        default: break
        }
        if operation != "/", let a = left.integer, let b = right.integer {
            if let result = Self.integer(operation, a, b) { return .integer(result) }
        } else if let a = left.number, let b = right.number,
            let result = Self.float(operation, a, b)
        {
            return .float(result)
        }
        throw failed("\(left.typeName) \(operation) \(right.typeName) makes no sense", place)
    }

    /// Nil for what cannot be computed, or is too large.
    private static func integer(_ operation: String, _ a: Int, _ b: Int) -> Int? {
        let result: (partialValue: Int, overflow: Bool)
        switch operation {
        case "+": result = a.addingReportingOverflow(b)
        case "-": result = a.subtractingReportingOverflow(b)
        case "*": result = a.multipliedReportingOverflow(by: b)
        case "//", "%":
            guard b != 0, !(a == .min && b == -1) else { return nil }
            // Python rounds down, and the remainder has the sign of the divisor.
            let remainder = a % b
            let isOff = remainder != 0 && (remainder < 0) != (b < 0)
            return operation == "//" ? a / b - (isOff ? 1 : 0) : remainder + (isOff ? b : 0)
        case "**":
            guard b >= 0, b < 64 else { return nil }
            var power = (partialValue: 1, overflow: false)
            for _ in 0..<b where !power.overflow {
                power = power.partialValue.multipliedReportingOverflow(by: a)
            }
            result = power
        default: return nil
        }
        return result.overflow ? nil : result.partialValue
    }

    private static func float(_ operation: String, _ a: Double, _ b: Double) -> Double? {
        switch operation {
        case "+": a + b
        case "-": a - b
        case "*": a * b
        case "/": b == 0 ? nil : a / b
        case "//": b == 0 ? nil : (a / b).rounded(.down)
        case "%": b == 0 ? nil : a - b * (a / b).rounded(.down)
        default: nil
        }
    }

    /// Compares two values.
    func compare(
        _ operation: String,
        _ left: TemplateValue,
        _ right: TemplateValue,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> Bool {
        switch operation {
        case "==": return left == right
        case "!=": return left != right
        case "in": return try contains(right, left, place)
        case "not in": return try !contains(right, left, place)
        default: break
        }
        let order: Int
        if let a = left.number, let b = right.number {
            if a.isNaN || b.isNaN { return false }
            order = a < b ? -1 : a > b ? 1 : 0
        } else if case .string(let a) = left, case .string(let b) = right {
            order =
                a.unicodeScalars.lexicographicallyPrecedes(b.unicodeScalars)
                ? -1 : left == right ? 0 : 1
        } else {
            throw failed("\(left.typeName) \(operation) \(right.typeName) makes no sense", place)
        }
        return switch operation {
        case "<": order < 0
        case "<=": order <= 0
        case ">": order > 0
        default: order >= 0
        }
    }

    private func contains(
        _ container: TemplateValue,
        _ value: TemplateValue,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> Bool {
        switch (container, value) {
        case (.list(let elements), _), (.tuple(let elements), _): return elements.contains(value)
        case (.dictionary(let dictionary), _): return dictionary[value] != nil
        case (.string(let text), .string(let part)):
            return part.isEmpty || text.containsBytes(of: part)
        case (.undefined, _): return false
        default:
            throw failed("\(value.typeName) is not in \(container.typeName)", place)
        }
    }

    // MARK: Calls

    static let functions: Set<String> = [
        "namespace", "range", "dict", "raise_exception", "strftime_now",
    ]

    private mutating func call(
        _ callee: TemplateExpression,
        _ arguments: TemplateArguments,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> TemplateValue {
        if case .member(let object, let name) = callee.kind {
            let object = try evaluate(object)
            let own = try evaluate(arguments)
            if let result = try method(name, of: object, own, place) { return result }
            let member = try item(object, .string(name), place)
            if case .macro(let macro) = member { return try call(macro, own, place) }
            throw CheckpointError.template(
                .templateUnsupported,
                "\(object.typeName) has no method '\(Name.printable(name))'",
                place
            )
        }
        let function = try evaluate(callee)
        let own = try evaluate(arguments)
        switch function {
        case .macro(let macro): return try call(macro, own, place)
        case .function(let name): return try call(function: name, own, place)
        default: throw failed("\(function.typeName) cannot be called", place)
        }
    }

    private func call(
        function name: String,
        _ arguments: TemplateCallArguments,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> TemplateValue {
        switch name {
        case "namespace":
            var members = arguments.named
            if case .dictionary(let dictionary)? = arguments.positional.first {
                for entry in dictionary.entries where members[entry.key.text] == nil {
                    members[entry.key.text] = entry.value
                }
            }
            return .namespace(TemplateNamespace(members))
        case "dict":
            return .dictionary(
                TemplateDictionary(
                    arguments.named.sorted { $0.key < $1.key }.map { (.string($0.key), $0.value) }
                )
            )
        case "range":
            let numbers = arguments.positional.compactMap(\.integer)
            let step = numbers.count > 2 ? numbers[2] : 1
            guard 1...3 ~= numbers.count, numbers.count == arguments.positional.count, step != 0
            else { throw failed("range takes one to three numbers", place) }
            let (start, end) = numbers.count > 1 ? (numbers[0], numbers[1]) : (0, numbers[0])
            let values = stride(from: start, to: end, by: step)
            guard values.underestimatedCount >= 0,
                (Double(end) - Double(start)) / Double(step) <= 1e5
            else { throw CheckpointError.template(.templateLimit, "a range is too long", place) }
            return .list(values.map { .integer($0) })
        case "raise_exception":
            throw failed(
                Name.printable(arguments.positional.first?.text ?? "the template fails"),
                place
            )
        default:
            guard case .string(let format)? = arguments.positional.first else {
                throw failed("strftime_now takes a format", place)
            }
            return .string(TemplateClock.text(now, format))
        }
    }
}

extension String {
    /// Whether another text is a part of it, byte by byte.
    func containsBytes(of part: String) -> Bool {
        firstPlace(of: Array(part.utf8), in: Array(utf8), from: 0) != nil
    }
}

/// The first place from `start` on where bytes begin in others; nil if they are not there.
func firstPlace(of part: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
    guard let first = part.first else { return start <= bytes.count ? start : nil }
    var place = start
    while place + part.count <= bytes.count {
        if bytes[place] == first, bytes[place..<place + part.count].elementsEqual(part) {
            return place
        }
        place += 1
    }
    return nil
}
