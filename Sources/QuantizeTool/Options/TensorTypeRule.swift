internal import ArgumentParser

/// `REGEX=FORMAT`: modules whose name matches get a format of their own.
struct TensorTypeRule: Sendable, Equatable {
    /// What the name has to contain.
    let pattern: String
    /// The format; nil leaves the module as it is.
    let format: QuantizationOptions.Format?

    /// Parses a rule.
    /// - Throws: `ValidationError` without `=`, with an unknown format or a broken expression.
    init(argument: String) throws {
        guard let sign = argument.lastIndex(of: "="), sign > argument.startIndex else {
            throw ValidationError("a rule has the form REGEX=FORMAT, such as 'lm_head=nf4'")
        }
        pattern = String(argument[..<sign])
        let name = String(argument[sign...].dropFirst())
        format = QuantizationOptions.Format(rawValue: name)
        guard format != nil || name == "none" else {
            let formats = QuantizationOptions.Format.allCases.map(\.rawValue) + ["none"]
            throw ValidationError(
                "'\(name)' is not one of the formats \(formats.joined(separator: ", "))"
            )
        }
        guard (try? Regex(pattern)) != nil else {
            throw ValidationError("'\(pattern)' is not a regular expression")
        }
    }
}
