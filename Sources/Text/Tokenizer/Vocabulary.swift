internal import CheckpointIO

/// The tokens of a model and their numbers.
struct Vocabulary: Sendable {
    /// For each number its text in UTF-8; nil where no token has it.
    private(set) var texts: [[UInt8]?]
    private let numbers: [Name: Int32]

    /// The largest number allowed.
    private static let largestNumber = 1 << 24

    /// Reads the vocabulary of a `tokenizer.json`.
    /// - Throws: `tokenizer.vocab`.
    init(_ json: JSONObject) throws(CheckpointError) {
        guard !json.members.isEmpty else {
            throw CheckpointError(.tokenizerVocab, "the vocabulary is empty", key: json.path)
        }
        texts = []
        texts.reserveCapacity(json.members.count)
        var numbers = [Name: Int32](minimumCapacity: json.members.count)
        for member in json.members {
            guard case .number(let value) = member.value, let number = value.integer,
                0...Self.largestNumber ~= number
            else {
                throw Self.error("the number of a token is out of range", member, json)
            }
            if number >= texts.count {
                texts += repeatElement(nil, count: number + 1 - texts.count)
            }
            guard texts[number] == nil else {
                throw Self.error("two tokens have the number \(number)", member, json)
            }
            texts[number] = member.key.utf8
            numbers[member.key] = Int32(number)
        }
        self.numbers = numbers
    }

    /// The number of a token; nil if there is none.
    subscript(text: some Sequence<UInt8>) -> Int32? { numbers[Name(utf8: text)] }

    /// All tokens.
    var all: some Sequence<(key: Name, value: Int32)> { numbers.lazy.map { ($0, $1) } }

    private static func error(
        _ message: String,
        _ member: JSONObject.Member,
        _ json: JSONObject
    ) -> CheckpointError {
        CheckpointError(
            .tokenizerVocab,
            message,
            key: json.keyPath(member.key),
            offset: member.valueOffset
        )
    }
}
