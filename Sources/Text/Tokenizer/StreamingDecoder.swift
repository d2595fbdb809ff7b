public import CheckpointIO

/// Turns tokens into text one by one, and never breaks a character.
public struct StreamingDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipsSpecialTokens: Bool
    /// Tokens from which the text still to come is decoded; those before `readCount` are given out.
    private var waiting: [Int] = []
    private var readCount = 0

    /// Starts with no text.
    public init(_ tokenizer: Tokenizer, skipsSpecialTokens: Bool = true) {
        self.tokenizer = tokenizer
        self.skipsSpecialTokens = skipsSpecialTokens
    }

    /// Takes a token.
    /// - Returns: the text that is complete with it; empty while a character lacks bytes.
    /// - Throws: as `Tokenizer.decode`.
    public mutating func append(_ token: Int) throws(CheckpointError) -> String {
        waiting.append(token)
        let known = try decoded(waiting[..<readCount])
        let all = try decoded(waiting[...])
        // A character that lacks bytes shows as U+FFFD at the end. One that stays so after many tokens is
        // none, and will not become one.
        let isIncomplete = all.unicodeScalars.last == "\u{FFFD}"
        guard all.utf8.count > known.utf8.count else { return "" }
        guard !isIncomplete || waiting.count - readCount > Self.patience else { return "" }
        return take(all, known)
    }

    private static let patience = 64

    /// Returns what is left, complete or not.
    public mutating func finish() throws(CheckpointError) -> String {
        let known = try decoded(waiting[..<readCount])
        return take(try decoded(waiting[...]), known)
    }

    private mutating func take(_ all: String, _ known: String) -> String {
        // The tokens given out last stay: a decoder may treat the first of all differently.
        waiting.removeFirst(readCount)
        readCount = waiting.count
        return String(decoding: Array(all.utf8.dropFirst(known.utf8.count)), as: UTF8.self)
    }

    private func decoded(_ tokens: ArraySlice<Int>) throws(CheckpointError) -> String {
        try tokenizer.decode(tokens, skipsSpecialTokens: skipsSpecialTokens)
    }
}
