internal import CheckpointIO

/// A place in a template.
struct TemplatePlace: Sendable, Hashable {
    let line: Int
    let column: Int
}

extension CheckpointError {
    /// A defect of a template, with its place.
    static func template(
        _ code: Code,
        _ message: String,
        _ place: TemplatePlace
    ) -> CheckpointError {
        CheckpointError(
            code,
            "\(message) (line \(place.line), column \(place.column))",
            file: "chat template"
        )
    }
}
