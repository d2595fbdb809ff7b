/// The well-formed byte sequences of UTF-8 (Unicode, table 3-7).
package enum UTF8Validation {
    /// Returns the index behind the scalar whose first byte, 0x80 or more, is at `index`.
    ///
    /// - Parameters:
    ///   - index: where the scalar begins.
    ///   - bytes: the text.
    ///   - baseOffset: added to positions in errors.
    /// - Returns: the index of the next scalar.
    /// - Throws: `json.encoding` at the scalar's first byte if it is cut, overlong, a surrogate,
    ///   or beyond U+10FFFF.
    package static func end(
        ofScalarAt index: Int,
        in bytes: [UInt8],
        baseOffset: Int
    ) throws(CheckpointError) -> Int {
        let first = bytes[index]
        let length: Int
        // The second byte's range excludes overlong forms, surrogates and values too large.
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        case 0xF1...0xF3: length = 4
        default: throw invalid(at: index, baseOffset)
        }
        guard bytes.count - index >= length, second.contains(bytes[index + 1]),
            bytes[index + 2..<max(index + length, index + 2)].allSatisfy({ $0 & 0xC0 == 0x80 })
        else { throw invalid(at: index, baseOffset) }
        return index + length
    }

    /// Whether all bytes are well-formed UTF-8.
    package static func isValid(_ bytes: [UInt8]) -> Bool {
        var index = 0
        while index < bytes.count {
            if bytes[index] < 0x80 {
                index += 1
            } else if let next = try? end(ofScalarAt: index, in: bytes, baseOffset: 0) {
                index = next
            } else {
                return false
            }
        }
        return true
    }

    private static func invalid(at index: Int, _ baseOffset: Int) -> CheckpointError {
        CheckpointError(
            .jsonEncoding,
            "the text is not valid UTF-8",
            offset: UInt64(baseOffset + index)
        )
    }
}
