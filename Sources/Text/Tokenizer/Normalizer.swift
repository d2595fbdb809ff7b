internal import CheckpointIO

/// What happens to a text before it is cut.
indirect enum Normalizer: Sendable {
    case sequence([Normalizer])
    /// Puts a text in front, unless there is nothing.
    case prepend([UInt8])
    /// Replaces all matches.
    case replace(SplitPattern, by: [UInt8])
    case canonical(NormalForm)
    case lowercase
    case strip(left: Bool, right: Bool)

    /// Reads a normalizer of a `tokenizer.json`.
    /// - Throws: `tokenizer.unsupported` with the name of one that is not known.
    init(_ json: JSONObject) throws(CheckpointError) {
        let type = try json.string("type")
        switch type {
        case "Sequence":
            self = .sequence(try json.components("normalizers", Normalizer.init))
        case "Prepend": self = .prepend(Array(try json.string("prepend").utf8))
        case "Replace":
            self = .replace(
                try json.pattern("pattern"),
                by: Array(try json.string("content").utf8)
            )
        case "Lowercase": self = .lowercase
        case "Strip":
            self = .strip(
                left: try json.optionalBool("strip_left") ?? true,
                right: try json.optionalBool("strip_right") ?? true
            )
        default:
            guard let form = NormalForm(rawValue: type) else {
                throw CheckpointError.unknownComponent("normalizer", type, json)
            }
            self = .canonical(form)
        }
    }

    /// Returns the normalized text.
    /// - Throws: `tokenizer.pattern`.
    func apply(to text: [UInt8]) throws(CheckpointError) -> [UInt8] {
        switch self {
        case .sequence(let parts):
            var text = text
            for part in parts { text = try part.apply(to: text) }
            return text
        case .prepend(let prefix): return text.isEmpty ? text : prefix + text
        case .replace(let pattern, let content):
            var result: [UInt8] = []
            var end = 0
            try pattern.forEachMatch(in: text, 0..<text.count) { match in
                result += text[end..<match.lowerBound]
                result += content
                end = match.upperBound
            }
            return result + text[end...]
        case .canonical(let form):
            // Plain ASCII is in every form.
            guard text.contains(where: { $0 >= 0x80 }) else { return text }
            return form.normalized(text)
        case .lowercase: return Array(String(decoding: text, as: UTF8.self).lowercased().utf8)
        case .strip(let left, let right):
            var scalars = String(decoding: text, as: UTF8.self).unicodeScalars[...]
            if left { scalars = scalars.drop { $0.properties.isWhitespace } }
            while right, let last = scalars.last, last.properties.isWhitespace {
                scalars.removeLast()
            }
            return Array(String(scalars).utf8)
        }
    }
}
