/// A part of a template.
indirect enum TemplateNode: Sendable {
    case text(String)
    case output(TemplateExpression)
    /// Conditions with what belongs to them; the last may be `true`.
    case branches([(condition: TemplateExpression, body: [TemplateNode])])
    case loop(TemplateLoop)
    case set(TemplateTarget, TemplateExpression)
    /// The output of the body becomes the value.
    case capture(TemplateTarget, [TemplateNode])
    case macro(TemplateMacro)
    case breaks
    case continues
    /// Output as it is: parts that only training treats differently.
    case block([TemplateNode])
}

/// `{% for … %}`.
struct TemplateLoop: Sendable {
    let targets: [String]
    let sequence: TemplateExpression
    let condition: TemplateExpression?
    let body: [TemplateNode]
    let otherwise: [TemplateNode]
    let place: TemplatePlace
}

/// `{% macro … %}`.
struct TemplateMacro: Sendable {
    let name: String
    let parameters: [(name: String, fallback: TemplateExpression?)]
    let body: [TemplateNode]
}

/// What `set` assigns to.
enum TemplateTarget: Sendable {
    case names([String])
    /// A member of a namespace.
    case member(String, String, TemplatePlace)
}

/// An expression and its place.
struct TemplateExpression: Sendable {
    indirect enum Kind: Sendable {
        case constant(TemplateValue)
        case name(String)
        case list([TemplateExpression])
        case tuple([TemplateExpression])
        case dictionary([(key: TemplateExpression, value: TemplateExpression)])
        case member(TemplateExpression, String)
        case item(TemplateExpression, TemplateExpression)
        case slice(
            TemplateExpression,
            TemplateExpression?,
            TemplateExpression?,
            TemplateExpression?
        )
        case call(TemplateExpression, TemplateArguments)
        case filter(String, TemplateExpression, TemplateArguments)
        case test(String, TemplateExpression, TemplateArguments, isNegated: Bool)
        case unary(String, TemplateExpression)
        case binary(String, TemplateExpression, TemplateExpression)
        /// `a < b < c`: operands and the operators between them.
        case comparison(TemplateExpression, [(operation: String, operand: TemplateExpression)])
        case conditional(
            condition: TemplateExpression,
            yes: TemplateExpression,
            no: TemplateExpression?
        )
    }

    let kind: Kind
    let place: TemplatePlace
}

/// The arguments of a call.
struct TemplateArguments: Sendable {
    var positional: [TemplateExpression] = []
    var named: [(name: String, value: TemplateExpression)] = []
}
