internal import ArgumentParser

/// `REGEX=FORMAT`: modules whose name matches get a format of their own.
struct TensorTypeRule: ExpressibleByArgument, Sendable, Equatable {
    /// What the name has to contain.
    let pattern: String
    /// The format; nil leaves the module as it is.
    let format: QuantizationOptions.Format?

    /// Parses a rule; nil without `=`, with an unknown format or a broken expression.
    init?(argument: String) {
        guard let sign = argument.lastIndex(of: "=") else { return nil }
        pattern = String(argument[..<sign])
        let name = argument[sign...].dropFirst()
        format = QuantizationOptions.Format(rawValue: String(name))
        guard !pattern.isEmpty, format != nil || name == "none", (try? Regex(pattern)) != nil
        else { return nil }
    }
}
