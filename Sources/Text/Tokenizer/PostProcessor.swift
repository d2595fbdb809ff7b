internal import CheckpointIO

/// What is put around the tokens of a text.
struct PostProcessor: Sendable {
    /// Tokens in front of and behind those of the text.
    private(set) var before: [Int32] = []
    private(set) var after: [Int32] = []

    init() {}

    /// Reads a post-processor of a `tokenizer.json`.
    /// - Throws: `tokenizer.unsupported` with the name of one that is not known.
    init(_ json: JSONObject) throws(CheckpointError) {
        let type = try json.string("type")
        switch type {
        // Moves offsets, of which nothing is made here.
        case "ByteLevel": break
        case "Sequence":
            for part in try json.components("processors", PostProcessor.init) {
                before = part.before + before
                after += part.after
            }
        case "TemplateProcessing": try read(template: json)
        default: throw CheckpointError.unknownComponent("post-processor", type, json)
        }
    }

    private mutating func read(template json: JSONObject) throws(CheckpointError) {
        let special = try json.object("special_tokens")
        var hasText = false
        for part in try json.components("single", { $0 }) {
            if try part.optionalObject("Sequence") != nil {
                guard !hasText else {
                    throw CheckpointError(
                        .tokenizerUnsupported,
                        "a template with the text twice is not known",
                        key: json.keyPath("single")
                    )
                }
                hasText = true
                continue
            }
            let name = try part.object("SpecialToken").string("id")
            guard let token = try special.optionalObject(Name(name)) else {
                throw CheckpointError(
                    .tokenizerTemplate,
                    "there is no special token \(Name.printable(name))",
                    key: json.keyPath("single")
                )
            }
            for value in try token.array("ids") {
                guard case .number(let number) = value, let id = number.integer,
                    let own = Int32(exactly: id), own >= 0
                else {
                    throw CheckpointError(
                        .tokenizerTemplate,
                        "the number of a special token is out of range",
                        key: token.path
                    )
                }
                if hasText { after.append(own) } else { before.append(own) }
            }
        }
    }
}
