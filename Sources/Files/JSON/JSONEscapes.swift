/// The backslash sequences of JSON strings.
enum JSONEscapes {
    /// Returns the index behind the escape at `index`; a surrogate pair counts as one escape.
    /// - Throws: `json.syntax` for an unknown escape, bad digits, or half a surrogate pair.
    static func end(
        ofEscapeAt index: Int,
        in bytes: [UInt8],
        baseOffset: Int
    ) throws(CheckpointError) -> Int {
        func failure(_ message: String) -> CheckpointError {
            CheckpointError(.jsonSyntax, message, offset: UInt64(baseOffset + index))
        }
        guard index + 1 < bytes.count else {
            throw CheckpointError(
                .jsonSyntax,
                "the text ends inside a string",
                offset: UInt64(baseOffset + bytes.count)
            )
        }
        switch bytes[index + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
            UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return index + 2
        case UInt8(ascii: "u"):
            guard let unit = codeUnit(at: index, in: bytes[...]) else {
                throw failure("a \\u escape without four hexadecimal digits")
            }
            switch unit {
            case 0xD800...0xDBFF:
                guard let low = codeUnit(at: index + 6, in: bytes[...]),
                    (0xDC00...0xDFFF).contains(low)
                else { throw failure("half of a surrogate pair") }
                return index + 12
            case 0xDC00...0xDFFF: throw failure("half of a surrogate pair")
            default: return index + 6
            }
        default: throw failure("an unknown escape in a string")
        }
    }

    /// Returns the content of a string whose escapes were checked by `end(ofEscapeAt:)`.
    static func unescaped(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var content: [UInt8] = []
        content.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            guard bytes[index] == UInt8(ascii: "\\") else {
                content.append(bytes[index])
                index += 1
                continue
            }
            switch bytes[index + 1] {
            case UInt8(ascii: "b"): content.append(0x08)
            case UInt8(ascii: "f"): content.append(0x0C)
            case UInt8(ascii: "n"): content.append(0x0A)
            case UInt8(ascii: "r"): content.append(0x0D)
            case UInt8(ascii: "t"): content.append(0x09)
            case UInt8(ascii: "u"):
                let scalar: Unicode.Scalar
                (scalar, index) = self.scalar(at: index, in: bytes)
                content.append(contentsOf: String(scalar).utf8)
                continue
            case let other: content.append(other)
            }
            index += 2
        }
        return content
    }

    private static func scalar(
        at index: Int,
        in bytes: ArraySlice<UInt8>
    ) -> (Unicode.Scalar, next: Int) {
        let unit = codeUnit(at: index, in: bytes) ?? 0xFFFD
        if let scalar = Unicode.Scalar(unit) { return (scalar, index + 6) }
        let low = codeUnit(at: index + 6, in: bytes) ?? 0xDC00
        let value = 0x10000 + (unit & 0x3FF) << 10 + low & 0x3FF
        return (Unicode.Scalar(value) ?? "\u{FFFD}", index + 12)
    }

    /// Returns the number in `\uXXXX` at `index`, or nil if that is something else.
    private static func codeUnit(at index: Int, in bytes: ArraySlice<UInt8>) -> UInt32? {
        guard bytes.endIndex - index >= 6, bytes[index] == UInt8(ascii: "\\"),
            bytes[index + 1] == UInt8(ascii: "u")
        else { return nil }
        var unit: UInt32 = 0
        for byte in bytes[index + 2..<index + 6] {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: return nil
            }
            unit = unit << 4 | UInt32(digit)
        }
        return unit
    }
}
