internal import CheckpointIO

/// Makes a tree of a template.
struct TemplateParser {
    private let tokens: [TemplateToken]
    private var position = 0
    private var depth = 0
    private static let depthLimit = 64

    /// Parses a template.
    /// - Throws: `template.syntax`, `template.unsupported`, `template.limit`, with line and column.
    static func parse(_ template: String) throws(CheckpointError) -> [TemplateNode] {
        var parser = TemplateParser(tokens: try TemplateLexer(template).tokens)
        let (nodes, end) = try parser.body(until: [])
        guard end == nil else { throw parser.unexpected() }
        return nodes
    }

    private init(tokens: [TemplateToken]) { self.tokens = tokens }

    // MARK: Tokens

    var token: TemplateToken { tokens[min(position, tokens.count - 1)] }

    func unexpected(_ wanted: String? = nil) -> CheckpointError {
        let found: String =
            switch token.kind {
            case .text: "text"
            case .beginOutput: "{{"
            case .endOutput: "}}"
            case .beginStatement: "{%"
            case .endStatement: "%}"
            case .name(let name): "'\(Name.printable(name))'"
            case .string: "a string"
            case .integer, .float: "a number"
            case .symbol(let symbol): "'\(symbol)'"
            case .end: "the end"
            }
        let message =
            wanted.map { "\($0) is missing before \(found)" } ?? "\(found) is not expected"
        return CheckpointError.template(.templateSyntax, message, token.place)
    }

    mutating func next() -> TemplateToken {
        defer { position += 1 }
        return token
    }

    mutating func stepBack() { position -= 1 }

    func isSymbol(_ symbol: String) -> Bool { token.kind == .symbol(symbol) }
    func isName(_ name: String) -> Bool { token.kind == .name(name) }

    mutating func skip(_ symbol: String) -> Bool {
        guard isSymbol(symbol) else { return false }
        position += 1
        return true
    }

    mutating func skipName(_ name: String) -> Bool {
        guard isName(name) else { return false }
        position += 1
        return true
    }

    mutating func require(_ symbol: String) throws(CheckpointError) {
        guard skip(symbol) else { throw unexpected("'\(symbol)'") }
    }

    mutating func requireName() throws(CheckpointError) -> String {
        guard case .name(let name) = token.kind else { throw unexpected("a name") }
        position += 1
        return name
    }

    func peekSymbol(_ symbol: String, after count: Int) -> Bool {
        position + count < tokens.count && tokens[position + count].kind == .symbol(symbol)
    }

    /// Counts levels of nesting, of which there may be so many.
    mutating func nested<Result>(
        _ body: (inout Self) throws(CheckpointError) -> Result
    ) throws(CheckpointError) -> Result {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthLimit * 4 else {
            throw CheckpointError.template(.templateLimit, "too deeply nested", token.place)
        }
        return try body(&self)
    }

    // MARK: Statements

    private mutating func endStatement() throws(CheckpointError) {
        guard token.kind == .endStatement else { throw unexpected("'%}'") }
        position += 1
    }

    /// Parses up to a statement of one of some names, which is left after its name.
    private mutating func body(
        until ends: Set<String>
    ) throws(CheckpointError) -> (nodes: [TemplateNode], end: String?) {
        try nested { (parser) throws(CheckpointError) in
            var nodes: [TemplateNode] = []
            while true {
                switch parser.token.kind {
                case .end:
                    guard ends.isEmpty else {
                        throw parser.unexpected(ends.sorted().joined(separator: " or "))
                    }
                    return (nodes, nil)
                case .text(let text):
                    parser.position += 1
                    nodes.append(.text(text))
                case .beginOutput:
                    parser.position += 1
                    nodes.append(.output(try parser.tuple()))
                    guard parser.token.kind == .endOutput else { throw parser.unexpected("'}}'") }
                    parser.position += 1
                case .beginStatement:
                    parser.position += 1
                    guard case .name(let name) = parser.token.kind else {
                        throw parser.unexpected("the name of a statement")
                    }
                    if ends.contains(name) {
                        parser.position += 1
                        return (nodes, name)
                    }
                    nodes.append(try parser.statement())
                default: throw parser.unexpected()
                }
            }
        }
    }

    private mutating func statement() throws(CheckpointError) -> TemplateNode {
        let place = token.place
        let name = try requireName()
        switch name {
        case "if": return try conditional()
        case "for": return try loop(place)
        case "set": return try assignment()
        case "macro": return try macro()
        case "break":
            try endStatement()
            return .breaks
        case "continue":
            try endStatement()
            return .continues
        case "generation":
            try endStatement()
            let (nodes, _) = try body(until: ["endgeneration"])
            try endStatement()
            return .block(nodes)
        case "include", "import", "from", "extends", "block", "call", "filter", "with", "do",
            "autoescape", "trans", "debug":
            throw CheckpointError.template(
                .templateUnsupported,
                "the statement '\(name)' is not known",
                place
            )
        default:
            position -= 1
            throw unexpected()
        }
    }

    private mutating func conditional() throws(CheckpointError) -> TemplateNode {
        var branches: [(condition: TemplateExpression, body: [TemplateNode])] = []
        var condition = try expression()
        try endStatement()
        while true {
            let (nodes, end) = try body(until: ["elif", "else", "endif"])
            branches.append((condition, nodes))
            let place = token.place
            if end == "endif" {
                try endStatement()
                return .branches(branches)
            }
            condition =
                end == "elif"
                ? try expression() : TemplateExpression(kind: .constant(.bool(true)), place: place)
            try endStatement()
            if end == "else" {
                let (otherwise, _) = try body(until: ["endif"])
                try endStatement()
                return .branches(branches + [(condition, otherwise)])
            }
        }
    }

    private mutating func loop(_ place: TemplatePlace) throws(CheckpointError) -> TemplateNode {
        var targets = [try requireName()]
        while skip(",") { targets.append(try requireName()) }
        guard skipName("in") else { throw unexpected("'in'") }
        // A condition behind belongs to the loop, not to the sequence.
        let sequence = try expression(allowsConditional: false)
        let condition = skipName("if") ? try expression() : nil
        if isName("recursive") {
            throw CheckpointError.template(
                .templateUnsupported,
                "recursive loops are not known",
                token.place
            )
        }
        try endStatement()
        let (nodes, end) = try body(until: ["else", "endfor"])
        try endStatement()
        var otherwise: [TemplateNode] = []
        if end == "else" {
            otherwise = try body(until: ["endfor"]).nodes
            try endStatement()
        }
        return .loop(
            TemplateLoop(
                targets: targets,
                sequence: sequence,
                condition: condition,
                body: nodes,
                otherwise: otherwise,
                place: place
            )
        )
    }

    private mutating func assignment() throws(CheckpointError) -> TemplateNode {
        let place = token.place
        let name = try requireName()
        let target: TemplateTarget
        if skip(".") {
            target = .member(name, try requireName(), place)
        } else {
            var names = [name]
            while skip(",") { names.append(try requireName()) }
            target = .names(names)
        }
        if skip("=") {
            let value = try tuple()
            try endStatement()
            return .set(target, value)
        }
        try endStatement()
        let (nodes, _) = try body(until: ["endset"])
        try endStatement()
        return .capture(target, nodes)
    }

    private mutating func macro() throws(CheckpointError) -> TemplateNode {
        let name = try requireName()
        try require("(")
        var parameters: [(name: String, fallback: TemplateExpression?)] = []
        while !isSymbol(")") {
            let parameter = try requireName()
            parameters.append((parameter, skip("=") ? try expression() : nil))
            guard skip(",") else { break }
        }
        try require(")")
        try endStatement()
        let (nodes, _) = try body(until: ["endmacro"])
        try endStatement()
        return .macro(TemplateMacro(name: name, parameters: parameters, body: nodes))
    }
}
