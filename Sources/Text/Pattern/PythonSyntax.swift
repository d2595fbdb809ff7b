/// Finds what Python's `re` and PCRE2 read differently.
enum PythonSyntax {
    /// Escapes of letters and digits that mean the same in both.
    private static let sharedEscapes = Set("AbBdDsSwWafnrtx0123456789uU".utf8)
    /// What may stand behind `(?`.
    private static let sharedGroups: [String] = [
        ":", "=", "!", "<=", "<!", "P<", "P=", ">", "#", "(",
    ]

    /// Returns the first difference in a pattern; nil if there is none.
    static func firstDifference(in pattern: [UInt8]) -> PythonPattern.Failure? {
        var place = 0
        var isInClass = false
        func failure(_ message: String) -> PythonPattern.Failure {
            PythonPattern.Failure(message: message, offset: place)
        }
        func stands(_ text: String, at place: Int) -> Bool {
            pattern[min(place, pattern.count)...].starts(with: text.utf8)
        }
        while place < pattern.count {
            let byte = pattern[place]
            switch byte {
            case UInt8(ascii: "\\"):
                guard place + 1 < pattern.count else { return failure("a lone backslash") }
                let next = pattern[place + 1]
                let isWord =
                    next < 128 && (UnicodeScalar(next).properties.isAlphabetic || isDigit(next))
                if next == UInt8(ascii: "Z") || isWord && !sharedEscapes.contains(next)
                    || next == UInt8(ascii: "u") || next == UInt8(ascii: "U")
                {
                    return failure("\\\(UnicodeScalar(next)) is not supported")
                }
                place += 1
            case UInt8(ascii: "[") where isInClass:
                if stands("[:", at: place) || stands("[.", at: place) || stands("[=", at: place) {
                    return failure("named classes of characters are not supported")
                }
            case UInt8(ascii: "["):
                isInClass = true
                // A bracket at the start of a class is one of its characters.
                if stands("^", at: place + 1) { place += 1 }
                if stands("]", at: place + 1) { place += 1 }
            case UInt8(ascii: "]"): isInClass = false
            case UInt8(ascii: "(") where !isInClass:
                if stands("(*", at: place) { return failure("verbs are not supported") }
                if stands("(?", at: place), let message = groupDifference(pattern, place) {
                    return failure(message)
                }
            case UInt8(ascii: "{") where !isInClass && stands("{,", at: place):
                return failure("a repetition without a least count is not supported")
            default: break
            }
            place += 1
        }
        return nil
    }

    /// What is wrong with a group that starts with `(?`.
    private static func groupDifference(_ pattern: [UInt8], _ place: Int) -> String? {
        let rest = pattern[(place + 2)...]
        if sharedGroups.contains(where: { rest.starts(with: $0.utf8) }) { return nil }
        let flags = rest.prefix { "aimsxLu".utf8.contains($0) || $0 == UInt8(ascii: "-") }
        guard !flags.isEmpty, flags.allSatisfy({ "ims-".utf8.contains($0) }) else {
            return "this kind of group is not supported"
        }
        if rest.dropFirst(flags.count).first == UInt8(ascii: ":") { return nil }
        return place == 0 ? nil : "flags for the whole pattern stand at its start"
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
