public import CheckpointIO

/// Writes a conversation as a model was trained to read it: the part of Jinja that published templates
/// use, with Python's texts of values, in Hugging Face's environment.
///
/// A template comes from a file: it reads nothing but what it is given, and takes a bounded number of
/// steps. What is not known is an error with line and column, never left out.
public struct ChatTemplate: Sendable {
    private let nodes: [TemplateNode]

    /// Parses a template.
    /// - Throws: `template.syntax`, `template.unsupported` or `template.limit`, with line and column.
    public init(_ template: String) throws(CheckpointError) {
        nodes = try TemplateParser.parse(template)
    }

    /// Who says something, and what.
    public struct Message: Sendable, Hashable {
        /// `system`, `user`, `assistant`, or what else the template knows.
        public var role: String
        /// The text.
        public var content: String

        /// Makes a message.
        public init(role: String, content: String) {
            self.role = role
            self.content = content
        }
    }

    /// Writes a conversation.
    /// - Parameters:
    ///   - messages: what was said.
    ///   - addsGenerationPrompt: ends with what begins the next answer.
    ///   - variables: what the template may ask for, such as `bos_token`.
    /// - Returns: the text, special tokens in it.
    /// - Throws: `template.failed` if the template refuses the conversation; `template.…`.
    public func render(
        _ messages: [Message],
        addsGenerationPrompt: Bool = true,
        variables: JSONObject = JSONObject()
    ) throws(CheckpointError) -> String {
        var all = variables
        all["messages"] = .array(
            messages.map {
                .object(JSONObject([("role", .string($0.role)), ("content", .string($0.content))]))
            }
        )
        all["add_generation_prompt"] = .bool(addsGenerationPrompt)
        return try render(all)
    }

    /// Writes a conversation that is given as the template takes it.
    /// - Parameters:
    ///   - variables: `messages`, `tools`, `add_generation_prompt`, special tokens and the like.
    ///   - now: seconds since 1970, for templates that tell the date; nil asks the clock.
    /// - Returns: the text, special tokens in it.
    /// - Throws: `template.failed` if the template refuses the conversation; `template.…`.
    public func render(
        _ variables: JSONObject,
        now: Int? = nil
    ) throws(CheckpointError) -> String {
        var values: [String: TemplateValue] = [:]
        for member in variables.members { values[member.key.text] = TemplateValue(member.value) }
        var evaluator = TemplateEvaluator(values, now: now ?? TemplateClock.now)
        return try evaluator.render(nodes)
    }
}
