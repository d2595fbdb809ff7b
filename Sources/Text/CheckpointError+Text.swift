public import CheckpointIO

// Templates of conversations.
extension CheckpointError.Code {
    /// A model has no template for conversations.
    public static let templateMissing = Self("template.missing")
    /// A template is malformed.
    public static let templateSyntax = Self("template.syntax")
    /// A template uses what is not known here.
    public static let templateUnsupported = Self("template.unsupported", .unsupported)
    /// A template takes too many steps, writes too much or is nested too deeply.
    public static let templateLimit = Self("template.limit")
    /// A template cannot be carried out, or says itself that a conversation is not possible.
    public static let templateFailed = Self("template.failed")
}
