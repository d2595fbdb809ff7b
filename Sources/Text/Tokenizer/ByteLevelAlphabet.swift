/// The characters that stand for the 256 bytes in byte-level vocabularies (Radford and others 2019; the
/// table of GPT-2): printable ones for themselves, the others by characters from U+0100 on.
enum ByteLevelAlphabet {
    /// For each byte its character in UTF-8.
    static let characters: [[UInt8]] = scalars.map { Array(String(Character($0)).utf8) }

    /// For each character its byte.
    static let bytes: [Unicode.Scalar: UInt8] = Dictionary(
        uniqueKeysWithValues: scalars.enumerated().map { ($1, UInt8($0)) }
    )

    private static let scalars: [Unicode.Scalar] = {
        var next: UInt32 = 0x100
        return (UInt32(0)..<256).map { byte in
            switch byte {
            case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(UInt8(byte))
            default:
                defer { next += 1 }
                return Unicode.Scalar(next) ?? "?"
            }
        }
    }()
}
