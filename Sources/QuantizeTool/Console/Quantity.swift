/// Numbers with units, in few characters, the same on every system.
enum Quantity {
    /// Returns bytes in decimal units: `512 B`, `4.06 MB`, `12.3 GB`.
    static func bytes(_ byteCount: Int) -> String {
        guard byteCount >= 1000 else { return "\(byteCount) B" }
        var value = Double(byteCount)
        var unit = 0
        while value >= 999.5, unit < 5 {
            value /= 1000
            unit += 1
        }
        return "\(significant(value, 3)) \(["B", "kB", "MB", "GB", "TB", "PB"][unit])"
    }

    /// Returns a count with its thousands apart: `1,234,567`.
    static func count(_ value: Int) -> String {
        var groups: [String] = []
        var rest = value.magnitude
        while rest >= 1000 {
            let digits = String(rest % 1000)
            groups.append(String(repeating: "0", count: 3 - digits.count) + digits)
            rest /= 1000
        }
        groups.append(String(rest))
        return (value < 0 ? "-" : "") + groups.reversed().joined(separator: ",")
    }

    /// Returns a rate: `1.24 GB/s`; `-` before any time has passed.
    static func rate(_ byteCount: Int, seconds: Double) -> String {
        guard seconds > 0 else { return "-" }
        let bytesPerSecond = Double(byteCount) / seconds
        return bytes(Int(min(bytesPerSecond, 1e18))) + "/s"
    }

    /// Returns a time: `0.8 s`, `42 s`, `3:07 min`, `1:02:09 h`.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e9 else { return "-" }
        if seconds < 9.95 { return "\(decimal(max(0, seconds), 1)) s" }
        let whole = Int(seconds.rounded())
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60):\(twoDigits(whole % 60)) min" }
        return "\(whole / 3600):\(twoDigits(whole / 60 % 60)):\(twoDigits(whole % 60)) h"
    }

    /// Returns a number with `digits` behind the point; `-` for nil and for what is not finite.
    static func decimal(_ value: Double?, _ digits: Int) -> String {
        guard let value, value.isFinite, abs(value) < 1e15 else { return "-" }
        let scale = (0..<digits).reduce(1.0) { product, _ in product * 10 }
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 9e17 else { return "\(value)" }
        let all = String(UInt64(scaled))
        let padded = String(repeating: "0", count: max(0, digits + 1 - all.count)) + all
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return sign + padded }
        return sign + padded.dropLast(digits) + "." + padded.suffix(digits)
    }

    /// Returns a number of about `digits` significant digits, without an exponent where it is
    /// readable: `0.0728`, `12.3`, `3.1e-07`; `-` for nil and for what is not finite.
    static func significant(_ value: Double?, _ digits: Int) -> String {
        guard let value, value.isFinite else { return "-" }
        guard value != 0 else { return "0" }
        var exponent = 0
        var mantissa = abs(value)
        while mantissa >= 10 {
            mantissa /= 10
            exponent += 1
        }
        while mantissa < 1 {
            mantissa *= 10
            exponent -= 1
        }
        // 999.6 has the digits of 1000: rounding may carry into another place.
        let scale = (0..<digits).reduce(1.0) { product, _ in product * 10 }
        if (mantissa * scale / 10).rounded() >= scale {
            mantissa /= 10
            exponent += 1
        }
        if exponent >= -4, exponent < 15 {
            return decimal(value, max(0, digits - 1 - exponent))
        }
        let sign = value < 0 ? "-" : ""
        let power = twoDigits(abs(exponent))
        return "\(sign)\(decimal(mantissa, digits - 1))e\(exponent < 0 ? "-" : "+")\(power)"
    }

    /// Returns a share in percent: `26.6 %`.
    static func percent(_ share: Double?) -> String {
        guard let share, share.isFinite else { return "-" }
        return "\(decimal(share * 100, 1)) %"
    }

    private static func twoDigits(_ value: Int) -> String {
        value < 10 ? "0\(value)" : "\(value)"
    }
}
