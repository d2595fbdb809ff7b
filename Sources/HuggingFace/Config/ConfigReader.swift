internal import Files

/// Reads numbers of `config.json` that have a range.
struct ConfigReader {
    let json: JSONObject

    /// Returns an integer within a range.
    /// - Throws: `config.range`, or as `JSONObject.integer(_:)`.
    func integer(_ key: Name, in range: ClosedRange<Int>) throws(CheckpointError) -> Int {
        try checked(json.integer(key), key, range)
    }

    /// Returns an integer within a range, or nil if it is absent or null.
    func optionalInteger(
        _ key: Name,
        in range: ClosedRange<Int>
    ) throws(CheckpointError) -> Int? {
        guard let value = try json.optionalInteger(key) else { return nil }
        return try checked(value, key, range)
    }

    /// Checks that numbers are positive where they are present; lists are checked by element.
    /// - Throws: `config.range`, `json.type` or `json.number`.
    func checkPositive(_ keys: Name...) throws(CheckpointError) {
        for key in keys {
            if case .array(let elements)? = json[key] {
                for element in elements {
                    guard case .number(let number) = element, let value = number.double, value > 0
                    else {
                        throw rangeError(key, expected: "a list of numbers above 0", found: nil)
                    }
                }
            } else if let value = try json.optionalDouble(key), value <= 0 {
                throw rangeError(key, expected: "more than 0", found: "\(value)")
            }
        }
    }

    /// Makes the error for a number that is out of its range.
    func rangeError(_ key: Name, expected: String, found: String?) -> CheckpointError {
        CheckpointError(
            .configRange,
            "the value is out of range",
            key: json.keyPath(key),
            offset: json.member(key)?.valueOffset,
            expected: expected,
            found: found ?? "something else"
        )
    }

    private func checked(
        _ value: Int,
        _ key: Name,
        _ range: ClosedRange<Int>
    ) throws(CheckpointError) -> Int {
        guard range.contains(value) else {
            throw rangeError(
                key,
                expected: "\(range.lowerBound) to \(range.upperBound)",
                found: "\(value)"
            )
        }
        return value
    }
}
