internal import Files

extension GGUFHeaderReader {
    /// Reads the type of a value or of an array's items; `offset` is the field to blame.
    mutating func readValueType(at offset: Int) throws(CheckpointError) -> GGUFValueType {
        let number = try cursor.take(UInt32.self, field: "the type of a value")
        guard let type = GGUFValueType(rawValue: number) else {
            throw cursor.error(
                .ggufValueType,
                "no such type of value",
                at: offset,
                expected: "0 to 12",
                found: "\(number)"
            )
        }
        return type
    }

    /// Reads a number, or checks a text or an array and remembers its place.
    mutating func readValue(
        of type: GGUFValueType,
        depth: Int
    ) throws(CheckpointError) -> GGUFValue {
        let field = "a value"
        switch type {
        case .uint8: return try .unsigned(UInt64(cursor.take(UInt8.self, field: field)), type)
        case .uint16: return try .unsigned(UInt64(cursor.take(UInt16.self, field: field)), type)
        case .uint32: return try .unsigned(UInt64(cursor.take(UInt32.self, field: field)), type)
        case .uint64: return try .unsigned(cursor.take(UInt64.self, field: field), type)
        case .int8: return try .signed(Int64(cursor.take(Int8.self, field: field)), type)
        case .int16: return try .signed(Int64(cursor.take(Int16.self, field: field)), type)
        case .int32: return try .signed(Int64(cursor.take(Int32.self, field: field)), type)
        case .int64: return try .signed(cursor.take(Int64.self, field: field), type)
        case .float32:
            let bits = try cursor.take(UInt32.self, field: field)
            return .float(Double(Float(bitPattern: bits)), type)
        case .float64:
            return try .float(Double(bitPattern: cursor.take(UInt64.self, field: field)), type)
        case .bool: return try .bool(readBool())
        case .string: return try .string(bytes: skipString())
        case .array: return try readArray(depth: depth)
        }
    }

    private mutating func readBool() throws(CheckpointError) -> Bool {
        let offset = cursor.position
        let byte = try cursor.take(UInt8.self, field: "a value")
        guard byte <= 1 else { throw notABool(byte, at: offset) }
        return byte == 1
    }

    private func notABool(_ byte: UInt8?, at offset: Int) -> CheckpointError {
        cursor.error(
            .ggufBool,
            "a truth value is neither 0 nor 1",
            at: offset,
            expected: "0 or 1",
            found: byte.map { "\($0)" }
        )
    }

    /// Checks a text and returns the place of its bytes.
    private mutating func skipString() throws(CheckpointError) -> Range<Int> {
        let offset = cursor.position
        let count = try readStringLength(field: "a string", at: offset)
        let start = cursor.position
        guard try cursor.skipText(count) else {
            throw cursor.error(.ggufString, "a string is not UTF-8", at: offset)
        }
        return start..<cursor.position
    }

    private mutating func readArray(depth: Int) throws(CheckpointError) -> GGUFValue {
        let offset = cursor.position
        guard depth < Self.depthLimit else {
            throw cursor.error(
                .ggufDepth,
                "arrays nested too deep",
                at: offset,
                expected: "at most \(Self.depthLimit)"
            )
        }
        let type = try readValueType(at: offset)
        let declared = try cursor.take(UInt64.self, field: "the count of an array")
        guard declared <= Self.arrayLimit else {
            throw cursor.error(
                .ggufArray,
                "an array has more items than a file may have",
                at: offset,
                expected: "at most \(Self.arrayLimit)",
                found: "\(declared)"
            )
        }
        let count = Int(declared)
        let start = cursor.position
        if let width = type.fixedByteCount {
            try cursor.require(count * width, field: "an array of \(count) items", at: offset)
            if type == .bool {
                if let bad = try cursor.skipBools(count) { throw notABool(nil, at: bad) }
            } else {
                cursor.skip(count * width)
            }
        } else if type == .string {
            for _ in 0..<count { _ = try skipString() }
        } else {
            for _ in 0..<count { _ = try readArray(depth: depth + 1) }
        }
        return .array(of: type, count: count, bytes: start..<cursor.position)
    }
}
