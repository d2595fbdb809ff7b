internal import CheckpointIO

extension JSONObject {
    /// Reads a list of components.
    func components<Component>(
        _ key: Name,
        _ read: (JSONObject) throws(CheckpointError) -> Component
    ) throws(CheckpointError) -> [Component] {
        var components: [Component] = []
        for value in try array(key) {
            guard case .object(let json) = value else {
                throw CheckpointError(.jsonType, "a component is no object", key: keyPath(key))
            }
            components.append(try read(json))
        }
        return components
    }

    /// Reads `{"String": text}` or `{"Regex": pattern}`.
    func pattern(_ key: Name) throws(CheckpointError) -> SplitPattern {
        let json = try object(key)
        if let text = try json.optionalString("String") { return try SplitPattern(literal: text) }
        return try SplitPattern(try json.string("Regex"))
    }
}

extension CheckpointError {
    /// The refusal of a part of a tokenizer that is not known.
    static func unknownComponent(_ kind: String, _ type: String, _ json: JSONObject) -> Self {
        CheckpointError(
            .tokenizerUnsupported,
            "the \(kind) \(Name.printable(type)) is not known",
            key: json.keyPath("type"),
            offset: json.member("type")?.valueOffset
        )
    }
}
