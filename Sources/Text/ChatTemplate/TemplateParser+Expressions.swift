internal import CheckpointIO

extension TemplateParser {
    /// Parses an expression, or several with commas between them, which are a tuple.
    mutating func tuple() throws(CheckpointError) -> TemplateExpression {
        let place = token.place
        let first = try expression()
        guard isSymbol(",") else { return first }
        var elements = [first]
        while skip(",") {
            guard token.kind != .endOutput, token.kind != .endStatement, !isSymbol(")") else {
                break
            }
            elements.append(try expression())
        }
        return TemplateExpression(kind: .tuple(elements), place: place)
    }

    /// Parses an expression: `a if b else c`, weakest of all.
    mutating func expression(
        allowsConditional: Bool = true
    ) throws(CheckpointError) -> TemplateExpression {
        try nested { (parser) throws(CheckpointError) in
            var value = try parser.disjunction()
            while allowsConditional, parser.isName("if") {
                let place = parser.next().place
                let condition = try parser.disjunction()
                let no = parser.skipName("else") ? try parser.expression() : nil
                value = TemplateExpression(
                    kind: .conditional(condition: condition, yes: value, no: no),
                    place: place
                )
            }
            return value
        }
    }

    private mutating func binary(
        _ operations: [String],
        _ operand: (inout Self) throws(CheckpointError) -> TemplateExpression
    ) throws(CheckpointError) -> TemplateExpression {
        var left = try operand(&self)
        while true {
            let name: String
            switch token.kind {
            case .symbol(let symbol): name = symbol
            case .name(let word): name = word
            default: return left
            }
            guard operations.contains(name) else { return left }
            let place = next().place
            let right = try operand(&self)
            left = TemplateExpression(kind: .binary(name, left, right), place: place)
        }
    }

    private mutating func disjunction() throws(CheckpointError) -> TemplateExpression {
        try binary(["or"]) { (parser) throws(CheckpointError) in try parser.conjunction() }
    }

    private mutating func conjunction() throws(CheckpointError) -> TemplateExpression {
        try binary(["and"]) { (parser) throws(CheckpointError) in try parser.negation() }
    }

    private mutating func negation() throws(CheckpointError) -> TemplateExpression {
        guard isName("not") else { return try comparison() }
        let place = next().place
        let operand = try nested { (parser) throws(CheckpointError) in try parser.negation() }
        return TemplateExpression(kind: .unary("not", operand), place: place)
    }

    private mutating func comparison() throws(CheckpointError) -> TemplateExpression {
        let place = token.place
        let first = try sum()
        var parts: [(operation: String, operand: TemplateExpression)] = []
        while true {
            if case .symbol(let symbol) = token.kind,
                ["==", "!=", "<", "<=", ">", ">="].contains(symbol)
            {
                _ = next()
                parts.append((symbol, try sum()))
            } else if skipName("in") {
                parts.append(("in", try sum()))
            } else if isName("not"), isNotIn {
                _ = next()
                _ = next()
                parts.append(("not in", try sum()))
            } else {
                break
            }
        }
        return parts.isEmpty
            ? first : TemplateExpression(kind: .comparison(first, parts), place: place)
    }

    private var isNotIn: Bool {
        var copy = self
        _ = copy.next()
        return copy.isName("in")
    }

    private mutating func sum() throws(CheckpointError) -> TemplateExpression {
        try binary(["+", "-"]) { (parser) throws(CheckpointError) in try parser.concatenation() }
    }

    private mutating func concatenation() throws(CheckpointError) -> TemplateExpression {
        try binary(["~"]) { (parser) throws(CheckpointError) in try parser.product() }
    }

    private mutating func product() throws(CheckpointError) -> TemplateExpression {
        try binary(["*", "/", "//", "%"]) { (parser) throws(CheckpointError) in
            try parser.power()
        }
    }

    private mutating func power() throws(CheckpointError) -> TemplateExpression {
        try binary(["**"]) { (parser) throws(CheckpointError) in try parser.unary(filters: true) }
    }

    private mutating func unary(filters: Bool) throws(CheckpointError) -> TemplateExpression {
        var value: TemplateExpression
        if isSymbol("-") || isSymbol("+") {
            guard case .symbol(let sign) = token.kind else { throw unexpected() }
            let place = next().place
            let operand = try nested { (parser) throws(CheckpointError) in
                try parser.unary(filters: false)
            }
            value = TemplateExpression(kind: .unary(sign, operand), place: place)
        } else {
            value = try postfix(primary())
        }
        while filters {
            if isSymbol("|") {
                let place = next().place
                let name = try dottedName()
                let arguments = isSymbol("(") ? try arguments() : TemplateArguments()
                value = TemplateExpression(kind: .filter(name, value, arguments), place: place)
            } else if isName("is") {
                value = try test(of: value)
            } else if isSymbol("(") {
                let place = token.place
                value = TemplateExpression(kind: .call(value, try arguments()), place: place)
            } else {
                break
            }
        }
        return value
    }

    private mutating func dottedName() throws(CheckpointError) -> String {
        var name = try requireName()
        while skip(".") { name += "." + (try requireName()) }
        return name
    }

    private mutating func test(
        of value: TemplateExpression
    ) throws(CheckpointError) -> TemplateExpression {
        let place = next().place
        let isNegated = skipName("not")
        let name = try requireName()
        var own = TemplateArguments()
        if isSymbol("(") {
            own = try arguments()
        } else {
            switch token.kind {
            case .name(let word)
            where !["else", "or", "and", "is", "if", "in", "not"].contains(word):
                own.positional = [try postfix(primary())]
            case .string, .integer, .float: own.positional = [try postfix(primary())]
            case .symbol("["), .symbol("{"): own.positional = [try postfix(primary())]
            default: break
            }
        }
        return TemplateExpression(
            kind: .test(name, value, own, isNegated: isNegated),
            place: place
        )
    }

    private mutating func primary() throws(CheckpointError) -> TemplateExpression {
        let token = next()
        func made(_ kind: TemplateExpression.Kind) -> TemplateExpression {
            TemplateExpression(kind: kind, place: token.place)
        }
        switch token.kind {
        case .name(let name):
            switch name {
            case "true", "True": return made(.constant(.bool(true)))
            case "false", "False": return made(.constant(.bool(false)))
            case "none", "None": return made(.constant(.none))
            default: return made(.name(name))
            }
        case .string(let first):
            // Strings side by side are one.
            var text = first
            while case .string(let more) = self.token.kind {
                text += more
                _ = next()
            }
            return made(.constant(.string(text)))
        case .integer(let value): return made(.constant(.integer(value)))
        case .float(let value): return made(.constant(.float(value)))
        case .symbol("("):
            if skip(")") { return made(.tuple([])) }
            let value = try nested { (parser) throws(CheckpointError) in try parser.tuple() }
            try require(")")
            return value
        case .symbol("["):
            var elements: [TemplateExpression] = []
            while !isSymbol("]") {
                elements.append(try expression())
                guard skip(",") else { break }
            }
            try require("]")
            return made(.list(elements))
        case .symbol("{"):
            var entries: [(key: TemplateExpression, value: TemplateExpression)] = []
            while !isSymbol("}") {
                let key = try expression()
                try require(":")
                entries.append((key, try expression()))
                guard skip(",") else { break }
            }
            try require("}")
            return made(.dictionary(entries))
        default:
            stepBack()
            throw unexpected("a value")
        }
    }

    private mutating func postfix(
        _ first: TemplateExpression
    ) throws(CheckpointError) -> TemplateExpression {
        var value = first
        while true {
            let place = token.place
            if skip(".") {
                if case .integer(let index) = token.kind {
                    _ = next()
                    let key = TemplateExpression(kind: .constant(.integer(index)), place: place)
                    value = TemplateExpression(kind: .item(value, key), place: place)
                } else {
                    value = TemplateExpression(
                        kind: .member(value, try requireName()),
                        place: place
                    )
                }
            } else if skip("[") {
                value = try subscripted(value, place)
            } else if isSymbol("(") {
                value = TemplateExpression(kind: .call(value, try arguments()), place: place)
            } else {
                return value
            }
        }
    }

    private mutating func subscripted(
        _ value: TemplateExpression,
        _ place: TemplatePlace
    ) throws(CheckpointError) -> TemplateExpression {
        var parts: [TemplateExpression?] = []
        var isSlice = false
        var current: TemplateExpression?
        while !isSymbol("]") {
            if skip(":") {
                isSlice = true
                parts.append(current)
                current = nil
            } else {
                guard current == nil else { throw unexpected("']'") }
                current = try expression()
            }
        }
        parts.append(current)
        try require("]")
        if isSlice {
            guard parts.count <= 3 else { throw unexpected() }
            while parts.count < 3 { parts.append(nil) }
            return TemplateExpression(
                kind: .slice(value, parts[0], parts[1], parts[2]),
                place: place
            )
        }
        guard let key = current else { throw unexpected("an index") }
        return TemplateExpression(kind: .item(value, key), place: place)
    }

    private mutating func arguments() throws(CheckpointError) -> TemplateArguments {
        try require("(")
        var result = TemplateArguments()
        while !isSymbol(")") {
            if isSymbol("*") || isSymbol("**") {
                throw CheckpointError.template(
                    .templateUnsupported,
                    "lists of arguments are not known",
                    token.place
                )
            }
            if case .name(let name) = token.kind, peekSymbol("=", after: 1) {
                _ = next()
                _ = next()
                result.named.append((name, try expression()))
            } else {
                result.positional.append(try expression())
            }
            guard skip(",") else { break }
        }
        try require(")")
        return result
    }
}
