internal import CheckpointIO

/// Carries a template out.
struct TemplateEvaluator {
    /// Names and their values, the innermost scope last; the first has what all see.
    private var scopes: [[String: TemplateValue]]
    private var output = ""
    private var stepCount = 0
    private var depth = 0
    /// What the clock says, in seconds since 1970, for templates that tell the date.
    let now: Int

    private static let stepLimit = 1_000_000
    private static let outputLimit = 16 << 20
    private static let depthLimit = 64

    init(_ variables: [String: TemplateValue], now: Int) {
        scopes = [variables]
        self.now = now
    }

    /// How a body ended.
    private enum Flow {
        case goesOn, breaks, continues
    }

    /// Returns what a template writes.
    /// - Throws: `template.failed`, `template.unsupported`, `template.limit`, with line and column.
    mutating func render(_ nodes: [TemplateNode]) throws(CheckpointError) -> String {
        _ = try run(nodes)
        return output
    }

    mutating func step(_ place: TemplatePlace) throws(CheckpointError) {
        stepCount += 1
        guard stepCount <= Self.stepLimit else {
            throw CheckpointError.template(.templateLimit, "the template takes too long", place)
        }
    }

    private mutating func write(_ text: String) throws(CheckpointError) {
        output += text
        guard output.utf8.count <= Self.outputLimit else {
            throw CheckpointError(
                .templateLimit,
                "the template writes more than \(Self.outputLimit >> 20) MiB",
                file: "chat template"
            )
        }
    }

    func value(of name: String) -> TemplateValue? {
        for scope in scopes.reversed() {
            if let value = scope[name] { return value }
        }
        return nil
    }

    private mutating func set(_ name: String, _ value: TemplateValue) {
        scopes[scopes.count - 1][name] = value
    }

    // MARK: Statements

    private mutating func run(_ nodes: [TemplateNode]) throws(CheckpointError) -> Flow {
        for node in nodes {
            let flow = try run(node)
            guard case .goesOn = flow else { return flow }
        }
        return .goesOn
    }

    private mutating func run(_ node: TemplateNode) throws(CheckpointError) -> Flow {
        switch node {
        case .text(let text): try write(text)
        case .output(let expression): try write(evaluate(expression).text)
        case .branches(let branches):
            for branch in branches where try evaluate(branch.condition).isTrue {
                return try run(branch.body)
            }
        case .loop(let loop): try run(loop)
        case .set(let target, let expression): try assign(evaluate(expression), to: target)
        case .capture(let target, let body):
            let text = try captured { (own) throws(CheckpointError) in _ = try own.run(body) }
            try assign(.string(text), to: target)
        case .macro(let macro): set(macro.name, .macro(macro))
        case .breaks: return .breaks
        case .continues: return .continues
        case .block(let body): return try run(body)
        }
        return .goesOn
    }

    /// Returns what `body` writes.
    private mutating func captured(
        _ body: (inout Self) throws(CheckpointError) -> Void
    ) throws(CheckpointError) -> String {
        let before = output
        output = ""
        try body(&self)
        defer { output = before }
        return output
    }

    private mutating func assign(
        _ value: TemplateValue,
        to target: TemplateTarget
    ) throws(CheckpointError) {
        switch target {
        case .names(let names) where names.count == 1: set(names[0], value)
        case .names(let names):
            let parts = try unpacked(value, count: names.count, TemplatePlace(line: 0, column: 0))
            for (name, part) in zip(names, parts) { set(name, part) }
        case .member(let name, let member, let place):
            guard case .namespace(let namespace)? = self.value(of: name) else {
                throw failed("\(Name.printable(name)) is no namespace", place)
            }
            namespace[member] = value
        }
    }

    private func unpacked(
        _ value: TemplateValue,
        count: Int,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> [TemplateValue] {
        guard let parts = value.sequence, parts.count == count else {
            throw failed("\(value.typeName) cannot be taken apart into \(count)", place)
        }
        return parts
    }

    private mutating func run(_ loop: TemplateLoop) throws(CheckpointError) {
        var elements = try elements(of: evaluate(loop.sequence), loop.place)
        scopes.append([:])
        defer { scopes.removeLast() }
        if let condition = loop.condition {
            var kept: [TemplateValue] = []
            for element in elements {
                try bind(loop, element)
                if try evaluate(condition).isTrue { kept.append(element) }
            }
            elements = kept
            scopes[scopes.count - 1] = [:]
        }
        for (index, element) in elements.enumerated() {
            try step(loop.place)
            scopes[scopes.count - 1] = [:]
            try bind(loop, element)
            set("loop", Self.loopVariable(elements, index))
            if case .breaks = try run(loop.body) { break }
        }
        if elements.isEmpty { _ = try run(loop.otherwise) }
    }

    private mutating func bind(
        _ loop: TemplateLoop,
        _ element: TemplateValue
    ) throws(CheckpointError) {
        if loop.targets.count == 1 { return set(loop.targets[0], element) }
        let parts = try unpacked(element, count: loop.targets.count, loop.place)
        for (name, part) in zip(loop.targets, parts) { set(name, part) }
    }

    private static func loopVariable(_ elements: [TemplateValue], _ index: Int) -> TemplateValue {
        var entries: [(TemplateValue, TemplateValue)] = [
            (.string("index"), .integer(index + 1)), (.string("index0"), .integer(index)),
            (.string("revindex"), .integer(elements.count - index)),
            (.string("revindex0"), .integer(elements.count - index - 1)),
            (.string("first"), .bool(index == 0)),
            (.string("last"), .bool(index == elements.count - 1)),
            (.string("length"), .integer(elements.count)),
        ]
        if index > 0 { entries.append((.string("previtem"), elements[index - 1])) }
        if index + 1 < elements.count {
            entries.append((.string("nextitem"), elements[index + 1]))
        }
        return .dictionary(TemplateDictionary(entries))
    }

    /// What a loop goes through: the characters of a string, the keys of a dictionary.
    func elements(
        of value: TemplateValue,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> [TemplateValue] {
        switch value {
        case .list(let elements), .tuple(let elements): return elements
        case .string(let text): return text.unicodeScalars.map { .string(String($0)) }
        case .dictionary(let dictionary): return dictionary.entries.map(\.key)
        case .undefined: return []
        default: throw failed("\(value.typeName) has no elements", place)
        }
    }

    func failed(_ message: String, _ place: TemplatePlace) -> CheckpointError {
        CheckpointError.template(.templateFailed, message, place)
    }

    /// Calls a macro: it sees its parameters and what stands outside of everything.
    mutating func call(
        _ macro: TemplateMacro,
        _ arguments: TemplateCallArguments,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> TemplateValue {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit else {
            throw CheckpointError.template(.templateLimit, "macros call too deeply", place)
        }
        guard arguments.positional.count <= macro.parameters.count else {
            throw failed("\(macro.name) takes \(macro.parameters.count) arguments", place)
        }
        let outer = scopes
        scopes = [outer[0], [:]]
        defer { scopes = outer }
        for (index, parameter) in macro.parameters.enumerated() {
            if index < arguments.positional.count {
                set(parameter.name, arguments.positional[index])
            } else if let value = arguments.named[parameter.name] {
                set(parameter.name, value)
            } else if let fallback = parameter.fallback {
                set(parameter.name, try evaluate(fallback))
            } else {
                set(parameter.name, .undefined(parameter.name))
            }
        }
        let text = try captured { (own) throws(CheckpointError) in _ = try own.run(macro.body) }
        return .string(text)
    }
}

/// The arguments of a call, evaluated.
struct TemplateCallArguments {
    var positional: [TemplateValue] = []
    var named: [String: TemplateValue] = [:]

    /// The argument at a place, or by its name.
    func value(_ index: Int, _ name: String) -> TemplateValue? {
        index < positional.count ? positional[index] : named[name]
    }
}
