/// A name from a file, compared byte by byte.
///
/// `String` compares canonically: `é` in two spellings would be one key. Tensors, JSON keys and
/// file names are therefore keyed by their UTF-8 bytes.
public struct Name: Hashable, Sendable, Comparable {
    /// The name in UTF-8.
    public let utf8: [UInt8]

    /// Makes a name of valid UTF-8 bytes.
    public init(utf8: some Sequence<UInt8>) {
        self.utf8 = Array(utf8)
    }

    /// Makes a name of text.
    public init(_ text: String) {
        utf8 = Array(text.utf8)
    }

    /// The name as text, exactly as in the file: for computing, not for printing.
    public var text: String {
        String(decoding: utf8, as: UTF8.self)
    }

    /// Orders by bytes.
    public static func < (left: Name, right: Name) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}

extension Name: ExpressibleByStringLiteral {
    /// Makes a name of a literal.
    public init(stringLiteral value: String) {
        self.init(value)
    }
}

extension Name: CustomStringConvertible {
    /// The name fit for a terminal: controls, quotes and bidirectional marks escaped, shortened
    /// in the middle beyond 120 characters.
    public var description: String {
        Name.printable(text)
    }

    /// Returns text from outside in the form in which it may be printed.
    ///
    /// Everything below U+0020, U+007F-9F, quotes, backslash and bidirectional controls becomes
    /// `\u{…}`; more than 120 characters are shortened in the middle.
    public static func printable(_ text: String) -> String {
        let scalars = Array(text.unicodeScalars)
        guard scalars.count > 120 else { return scalars.map(escaped).joined() }
        let head = scalars.prefix(60).map(escaped).joined()
        let tail = scalars.suffix(56).map(escaped).joined()
        return "\(head)…\(tail)"
    }

    private static func escaped(_ scalar: Unicode.Scalar) -> String {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F, 0x22, 0x5C, 0x061C, 0x200E, 0x200F, 0x2028...0x202E,
            0x2066...0x2069:
            "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
        default:
            String(scalar)
        }
    }
}
