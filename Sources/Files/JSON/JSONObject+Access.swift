// Typed access. A missing key is `json.missingKey`, a value of another type `json.type`, a number
// that does not fit `json.number`; each error names the key path and the value's offset. The
// `optional` forms take null for absent.
extension JSONObject {
    /// Parses a JSON text that must be an object.
    /// - Throws: `CheckpointError` with a code `json.…`.
    public init(parsing bytes: [UInt8], baseOffset: Int = 0) throws(CheckpointError) {
        let value = try JSONValue(parsing: bytes, baseOffset: baseOffset)
        guard case .object(let object) = value else {
            throw CheckpointError(
                .jsonType,
                "the text is not an object",
                offset: UInt64(baseOffset),
                expected: "an object",
                found: value.typeName
            )
        }
        self = object
    }

    /// Returns a string.
    public func string(_ key: Name) throws(CheckpointError) -> String {
        try required(key, optionalString(key))
    }

    /// Returns a string, or nil if absent or null.
    public func optionalString(_ key: Name) throws(CheckpointError) -> String? {
        guard let member = present(key) else { return nil }
        guard case .string(let text) = member.value else { throw typeError(member, "a string") }
        return text
    }

    /// Returns a boolean.
    public func bool(_ key: Name) throws(CheckpointError) -> Bool {
        try required(key, optionalBool(key))
    }

    /// Returns a boolean, or nil if absent or null.
    public func optionalBool(_ key: Name) throws(CheckpointError) -> Bool? {
        guard let member = present(key) else { return nil }
        guard case .bool(let flag) = member.value else { throw typeError(member, "a boolean") }
        return flag
    }

    /// Returns an integer; `6.0` and `6e0` are none.
    public func integer(_ key: Name) throws(CheckpointError) -> Int {
        try required(key, optionalInteger(key))
    }

    /// Returns an integer, or nil if absent or null.
    public func optionalInteger(_ key: Name) throws(CheckpointError) -> Int? {
        guard let member = present(key) else { return nil }
        guard case .number(let number) = member.value else { throw typeError(member, "an integer") }
        guard let integer = number.integer else {
            throw numberError(member, number, "an integer of 64 bits")
        }
        return integer
    }

    /// Returns a number as the nearest double.
    public func double(_ key: Name) throws(CheckpointError) -> Double {
        try required(key, optionalDouble(key))
    }

    /// Returns a number as the nearest double, or nil if absent or null.
    public func optionalDouble(_ key: Name) throws(CheckpointError) -> Double? {
        guard let member = present(key) else { return nil }
        guard case .number(let number) = member.value else { throw typeError(member, "a number") }
        guard let double = number.double else {
            throw numberError(member, number, "a finite number")
        }
        return double
    }

    /// Returns a list.
    public func array(_ key: Name) throws(CheckpointError) -> [JSONValue] {
        try required(key, optionalArray(key))
    }

    /// Returns a list, or nil if absent or null.
    public func optionalArray(_ key: Name) throws(CheckpointError) -> [JSONValue]? {
        guard let member = present(key) else { return nil }
        guard case .array(let elements) = member.value else { throw typeError(member, "a list") }
        return elements
    }

    /// Returns a list of strings, or nil if absent or null.
    public func optionalStrings(_ key: Name) throws(CheckpointError) -> [String]? {
        guard let member = present(key), let elements = try optionalArray(key) else { return nil }
        var strings: [String] = []
        for element in elements {
            guard case .string(let text) = element else {
                throw typeError(
                    member,
                    "a list of strings",
                    found: "a list with \(element.typeName)"
                )
            }
            strings.append(text)
        }
        return strings
    }

    /// Returns an object that knows its key path.
    public func object(_ key: Name) throws(CheckpointError) -> JSONObject {
        try required(key, optionalObject(key))
    }

    /// Returns an object that knows its key path, or nil if absent or null.
    public func optionalObject(_ key: Name) throws(CheckpointError) -> JSONObject? {
        guard let member = present(key) else { return nil }
        guard case .object(var object) = member.value else { throw typeError(member, "an object") }
        object.path = keyPath(key)
        return object
    }

    /// The key with the path that leads to it.
    package func keyPath(_ key: Name) -> String {
        path.isEmpty ? key.text : "\(path).\(key.text)"
    }

    private func present(_ key: Name) -> Member? {
        guard let member = member(key) else { return nil }
        if case .null = member.value { return nil }
        return member
    }

    /// Checks that a key has a value, of whatever type.
    /// - Throws: `json.missingKey`, or `json.type` if it is null.
    package func require(_ key: Name) throws(CheckpointError) {
        _ = try required(key, present(key))
    }

    private func required<Value>(_ key: Name, _ value: Value?) throws(CheckpointError) -> Value {
        if let value { return value }
        if let member = member(key) { throw typeError(member, "a value") }
        throw CheckpointError(.jsonMissingKey, "a key is missing", key: keyPath(key))
    }

    private func typeError(
        _ member: Member,
        _ expected: String,
        found: String? = nil
    ) -> CheckpointError {
        CheckpointError(
            .jsonType,
            "the value has another type",
            key: keyPath(member.key),
            offset: member.valueOffset,
            expected: expected,
            found: found ?? member.value.typeName
        )
    }

    private func numberError(
        _ member: Member,
        _ number: JSONNumber,
        _ expected: String
    ) -> CheckpointError {
        CheckpointError(
            .jsonNumber,
            "the number cannot be represented",
            key: keyPath(member.key),
            offset: member.valueOffset,
            expected: expected,
            found: number.text
        )
    }
}
