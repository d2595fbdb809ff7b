/// A JSON number in its own spelling, so that rewriting a file leaves `1e-05` and `6.0` alone.
public struct JSONNumber: Hashable, Sendable {
    /// The spelling, valid JSON.
    public let text: String

    init(validated text: String) {
        self.text = text
    }

    /// Makes an integer.
    public init(_ value: Int) {
        text = String(value)
    }

    /// Makes a number with fraction or exponent, spelled as Python's `repr` does: the shortest
    /// digits that read back as the same value, with an exponent below 1e-4 and from 1e16 on.
    /// - Precondition: `value` is finite; JSON has no other numbers.
    public init(_ value: Double) {
        precondition(value.isFinite, "\(value) has no spelling in JSON")
        text = JSONNumber.pythonSpelling(of: value)
    }

    /// The value as an integer; nil with a fraction or an exponent, or outside of `Int`.
    public var integer: Int? { Int(text) }

    /// The value as an unsigned integer; nil with a sign, a fraction or an exponent, or beyond
    /// 64 bits.
    public var unsigned: UInt64? { UInt64(text) }

    /// The nearest double; nil beyond the finite ones.
    public var double: Double? {
        guard let value = Double(text), value.isFinite else { return nil }
        return value
    }

    /// Whether it is spelled with a fraction or an exponent.
    public var isFloatingPoint: Bool {
        text.utf8.contains { $0 == UInt8(ascii: ".") || $0 | 0x20 == UInt8(ascii: "e") }
    }

    private static func pythonSpelling(of value: Double) -> String {
        guard value != 0 else { return value.sign == .minus ? "-0.0" : "0.0" }
        let (digits, pointPosition) = shortestDigits(of: value.magnitude)
        let sign = value < 0 ? "-" : ""
        // Python: exponent form where the decimal exponent is below -4 or at least 16.
        let exponent = pointPosition - 1
        guard exponent >= -4, exponent < 16 else {
            let fraction = digits.dropFirst()
            let mantissa = fraction.isEmpty ? "\(digits)" : "\(digits.prefix(1)).\(fraction)"
            let power = exponent.magnitude < 10 ? "0\(exponent.magnitude)" : "\(exponent.magnitude)"
            return "\(sign)\(mantissa)e\(exponent < 0 ? "-" : "+")\(power)"
        }
        if pointPosition <= 0 {
            return sign + "0." + String(repeating: "0", count: -pointPosition) + digits
        }
        if pointPosition >= digits.count {
            return sign + digits + String(repeating: "0", count: pointPosition - digits.count)
                + ".0"
        }
        return sign + digits.prefix(pointPosition) + "." + digits.dropFirst(pointPosition)
    }

    /// Returns the shortest significant digits, and how many of them stand before the point.
    private static func shortestDigits(of value: Double) -> (digits: String, pointPosition: Int) {
        let parts = value.description.split(separator: "e", maxSplits: 1)
        let exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        let mantissa = parts[0].split(separator: ".", maxSplits: 1)
        let whole = mantissa[0]
        let fraction = mantissa.count > 1 ? mantissa[1] : ""
        let all = whole + fraction
        let leadingZeroCount = all.prefix { $0 == "0" }.count
        var digits = all.dropFirst(leadingZeroCount)
        while digits.last == "0" { digits.removeLast() }
        return (String(digits), whole.count + exponent - leadingZeroCount)
    }
}
