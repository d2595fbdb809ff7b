internal import CheckpointIO
internal import CPCRE2

/// A regular expression of a `tokenizer.json`, which finds pieces of text; compiled by PCRE2.
///
/// The files mean Oniguruma's syntax. White space is Unicode's property there, which PCRE2's `\s` is
/// not quite, so it is named; an intersection of classes is refused.
///
/// `@safe`: the compiled pattern never leaves it, and is freed with it. Sendable, because PCRE2 does
/// not change a compiled pattern when it matches.
@safe
final class SplitPattern: Sendable {
    /// The text of the pattern, as the file has it.
    let text: String
    private nonisolated(unsafe) let code: OpaquePointer

    /// So many steps a match may take: patterns come from files.
    private static let stepLimit: UInt32 = 10_000_000

    /// Compiles a pattern.
    /// - Throws: `tokenizer.pattern`; `tokenizer.unsupported` for what PCRE2 reads differently.
    init(_ text: String) throws(CheckpointError) {
        self.text = text
        let bytes = try Self.translated(Array(text.utf8))
        var failure = (error: Int32(0), offset: 0)
        guard let compiled = unsafe PatternText.compile(bytes, &failure) else {
            throw CheckpointError(
                .tokenizerPattern,
                "the pattern does not compile: \(PatternText.message(failure.error))",
                key: text
            )
        }
        unsafe code = compiled
        // Without a compiler for this processor matches are interpreted.
        _ = unsafe pcre2_jit_compile_8(compiled, UInt32(PCRE2_JIT_COMPLETE))
    }

    /// A pattern that matches a text and nothing else.
    convenience init(literal text: String) throws(CheckpointError) {
        try self.init("\\Q" + text.replacing("\\E", with: "\\E\\\\E\\Q") + "\\E")
    }

    deinit { unsafe pcre2_code_free_8(code) }

    /// Finds all matches in some of the bytes, which are valid UTF-8; empty ones are left out.
    /// - Parameters:
    ///   - bytes: the text.
    ///   - range: where to look; what is outside does not exist for the pattern.
    ///   - body: receives each match, ascending.
    /// - Throws: `tokenizer.pattern` if a match takes too many steps.
    func forEachMatch(
        in bytes: [UInt8],
        _ range: Range<Int>,
        _ body: (Range<Int>) -> Void
    ) throws(CheckpointError) {
        let data = unsafe pcre2_match_data_create_8(1, nil)
        let context = unsafe pcre2_match_context_create_8(nil)
        defer {
            unsafe pcre2_match_data_free_8(data)
            unsafe pcre2_match_context_free_8(context)
        }
        unsafe pcre2_set_match_limit_8(context, Self.stepLimit)
        let failure: Int32 = unsafe bytes[range].withUnsafeBufferPointer { bytes in
            var start = 0
            while start < bytes.count {
                let found = unsafe pcre2_match_8(
                    code,
                    bytes.baseAddress,
                    bytes.count,
                    start,
                    UInt32(PCRE2_NO_UTF_CHECK),
                    data,
                    context
                )
                if found == PCRE2_ERROR_NOMATCH { return 0 }
                guard found >= 0, let places = unsafe pcre2_get_ovector_pointer_8(data) else {
                    return found
                }
                let match = unsafe places[0]..<places[1]
                if match.isEmpty {
                    // On to the next character.
                    start = match.lowerBound + 1
                    while start < bytes.count, unsafe bytes[start] & 0xC0 == 0x80 { start += 1 }
                } else {
                    body(range.lowerBound + match.lowerBound..<range.lowerBound + match.upperBound)
                    start = match.upperBound
                }
            }
            return 0
        }
        guard failure == 0 else {
            throw CheckpointError(
                .tokenizerPattern,
                "no match was found: \(PatternText.message(failure))",
                key: text
            )
        }
    }

    /// The pattern with white space named.
    private static func translated(_ pattern: [UInt8]) throws(CheckpointError) -> [UInt8] {
        var result: [UInt8] = []
        var place = 0
        while place < pattern.count {
            let byte = pattern[place]
            let next = place + 1 < pattern.count ? pattern[place + 1] : 0
            switch (byte, next) {
            case (UInt8(ascii: "\\"), UInt8(ascii: "Q")):
                // A literal text: up to its end nothing has a meaning.
                result += pattern[place...]
                return result
            case (UInt8(ascii: "\\"), UInt8(ascii: "s")):
                result += Array("\\p{White_Space}".utf8)
                place += 2
            case (UInt8(ascii: "\\"), UInt8(ascii: "S")):
                result += Array("\\P{White_Space}".utf8)
                place += 2
            case (UInt8(ascii: "\\"), _):
                result += pattern[place..<min(place + 2, pattern.count)]
                place += 2
            case (UInt8(ascii: "&"), UInt8(ascii: "&")):
                throw CheckpointError(
                    .tokenizerUnsupported,
                    "intersections of classes are not known",
                    key: String(decoding: pattern, as: UTF8.self)
                )
            default:
                result.append(byte)
                place += 1
            }
        }
        return result
    }
}
