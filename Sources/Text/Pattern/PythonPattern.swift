internal import CPCRE2

/// A regular expression as Python's `re` reads it, matched by PCRE2.
///
/// What the two libraries read differently is refused, not guessed. A match that would take more than
/// a bounded number of steps fails instead of running on: patterns come from files.
///
/// `@safe`: the compiled pattern never leaves it, and is freed with it. Sendable, because PCRE2 does
/// not change a compiled pattern when it matches.
@safe
public final class PythonPattern: Sendable {
    /// The text of the pattern.
    public let text: String
    private nonisolated(unsafe) let code: OpaquePointer

    /// What is wrong with a pattern.
    public struct Failure: Error, Hashable, Sendable {
        /// What is wrong.
        public let message: String
        /// The byte of the pattern at which it is.
        public let offset: Int
    }

    /// So many steps a match may take: module names are short.
    private static let stepLimit: UInt32 = 1_000_000

    /// Compiles a pattern.
    /// - Throws: `Failure` if it is malformed, or means something else in Python.
    public init(_ text: String) throws(Failure) {
        if let failure = PythonSyntax.firstDifference(in: Array(text.utf8)) { throw failure }
        var failure = (error: Int32(0), offset: 0)
        guard let compiled = unsafe PatternText.compile(Array(text.utf8), &failure) else {
            throw Failure(message: PatternText.message(failure.error), offset: failure.offset)
        }
        self.text = text
        unsafe code = compiled
    }

    deinit { unsafe pcre2_code_free_8(code) }

    /// Returns whether the pattern matches from the start of a text, as `re.match` does.
    /// - Throws: `Failure` if the match takes too many steps.
    public func matchesPrefix(of text: String) throws(Failure) -> Bool {
        try match(text, UInt32(PCRE2_ANCHORED)) != nil
    }

    /// Returns whether the pattern matches a whole text, as `re.fullmatch` does.
    /// - Throws: `Failure` if the match takes too many steps.
    public func matchesWhole(_ text: String) throws(Failure) -> Bool {
        try match(text, UInt32(PCRE2_ANCHORED) | UInt32(PCRE2_ENDANCHORED)) != nil
    }

    /// Returns the text of the first group of a match from the start; nil without a match.
    /// - Throws: `Failure` if the match takes too many steps.
    public func firstGroup(ofPrefixOf text: String) throws(Failure) -> String? {
        guard let ranges = try match(text, UInt32(PCRE2_ANCHORED)), ranges.count > 1 else {
            return nil
        }
        return String(decoding: Array(text.utf8)[ranges[1]], as: UTF8.self)
    }

    /// Returns the places of the match and its groups.
    private func match(_ text: String, _ options: UInt32) throws(Failure) -> [Range<Int>]? {
        let bytes = Array(text.utf8)
        let data = unsafe pcre2_match_data_create_from_pattern_8(code, nil)
        let context = unsafe pcre2_match_context_create_8(nil)
        defer {
            unsafe pcre2_match_data_free_8(data)
            unsafe pcre2_match_context_free_8(context)
        }
        unsafe pcre2_set_match_limit_8(context, Self.stepLimit)
        let count = unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe pcre2_match_8(code, bytes.baseAddress, bytes.count, 0, options, data, context)
        }
        if count == PCRE2_ERROR_NOMATCH { return nil }
        guard count > 0, let places = unsafe pcre2_get_ovector_pointer_8(data) else {
            throw Failure(message: PatternText.message(count), offset: 0)
        }
        return (0..<Int(count)).map { group in
            let (start, end) = unsafe (places[2 * group], places[2 * group + 1])
            // A group that took no part has no place.
            return start <= end && end <= bytes.count ? start..<end : 0..<0
        }
    }

    /// Returns text as a pattern that matches it and nothing else, as `re.escape` does.
    public static func escaping(_ text: String) -> String {
        text.map { "\\.^$*+?{}[]|()-&~# \t\n\r\u{0B}\u{0C}".contains($0) ? "\\\($0)" : "\($0)" }
            .joined()
    }
}
