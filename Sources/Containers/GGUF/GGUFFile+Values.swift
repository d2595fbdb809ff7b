public import Files

extension GGUFEntry {
    /// Returns the error of a known key with a value of another type.
    func wrongType(expected: String, file: String) -> CheckpointError {
        CheckpointError(
            .ggufKeyType,
            "the key has a value of another type",
            file: file,
            key: key.text,
            offset: UInt64(valueOffset),
            expected: expected,
            found: value.typeName
        )
    }
}

/// Typed look-ups: nil where the key is absent, `gguf.keyType` where its value has another type.
extension GGUFFile {
    /// Returns a whole number, of whatever width.
    public func integer(_ key: Name) throws(CheckpointError) -> UInt64? {
        guard let entry = entry(key) else { return nil }
        switch entry.value {
        case .unsigned(let number, _): return number
        case .signed(let number, _) where number >= 0: return UInt64(number)
        default: throw entry.wrongType(expected: "uint32", file: source.fileName)
        }
    }

    /// Returns a number with a fraction; `isSingle` says whether it was stored as float32.
    public func float(
        _ key: Name
    ) throws(CheckpointError) -> (value: Double, isSingle: Bool)? {
        guard let entry = entry(key) else { return nil }
        guard case .float(let number, let type) = entry.value else {
            throw entry.wrongType(expected: "float32", file: source.fileName)
        }
        return (number, type == .float32)
    }

    /// Returns a truth value.
    public func bool(_ key: Name) throws(CheckpointError) -> Bool? {
        guard let entry = entry(key) else { return nil }
        guard case .bool(let flag) = entry.value else {
            throw entry.wrongType(expected: "bool", file: source.fileName)
        }
        return flag
    }

    /// Returns a text.
    public func string(_ key: Name) throws(CheckpointError) -> String? {
        guard let entry = entry(key) else { return nil }
        guard case .string(let place) = entry.value else {
            throw entry.wrongType(expected: "string", file: source.fileName)
        }
        let bytes = try source.bytes(in: place)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Returns the number of items of an array of the type given.
    package func arrayCount(
        _ key: Name,
        of type: GGUFValueType
    ) throws(CheckpointError) -> Int? {
        try array(key, of: [type])?.count
    }

    /// Returns the texts of an array.
    package func strings(_ key: Name) throws(CheckpointError) -> GGUFStrings? {
        guard let (count, place, _) = try array(key, of: [.string]) else { return nil }
        try checkHoldable(place, key: key)
        let bytes = try source.bytes(in: place)
        guard let strings = GGUFStrings(bytes: bytes, count: count) else {
            throw CheckpointError(
                .fileChanged,
                "the file changed while it was read",
                file: source.fileName
            )
        }
        return strings
    }

    /// Returns the numbers of an array of float32.
    public func floats(_ key: Name) throws(CheckpointError) -> [Float]? {
        guard let (_, place, _) = try array(key, of: [.float32]) else { return nil }
        try checkHoldable(place, key: key)
        return try words(at: place).map(Float.init(bitPattern:))
    }

    /// Returns the numbers of an array of int32 or uint32, as the bits of int32.
    public func int32s(_ key: Name) throws(CheckpointError) -> [Int32]? {
        guard let (_, place, _) = try array(key, of: [.int32, .uint32]) else { return nil }
        try checkHoldable(place, key: key)
        return try words(at: place).map(Int32.init(bitPattern:))
    }

    private func array(
        _ key: Name,
        of types: [GGUFValueType]
    ) throws(CheckpointError) -> (count: Int, bytes: Range<Int>, type: GGUFValueType)? {
        guard let entry = entry(key) else { return nil }
        guard case .array(let type, let count, let bytes) = entry.value, types.contains(type)
        else {
            throw entry.wrongType(expected: "array of \(types[0])", file: source.fileName)
        }
        return (count, bytes, type)
    }

    /// Refuses arrays that no tokenizer has, before there is memory for them.
    private func checkHoldable(_ place: Range<Int>, key: Name) throws(CheckpointError) {
        let limit = 1 << 26
        guard place.count <= limit else {
            throw CheckpointError(
                .limitFileSize,
                "the array is larger than a tokenizer may be",
                file: source.fileName,
                key: key.text,
                offset: UInt64(place.lowerBound),
                expected: "at most \(limit) bytes",
                found: "\(place.count)"
            )
        }
    }

    private func words(at place: Range<Int>) throws(CheckpointError) -> [UInt32] {
        var cursor = GGUFCursor(source: source, at: place.lowerBound)
        var words: [UInt32] = []
        words.reserveCapacity(place.count / 4)
        for _ in 0..<(place.count / 4) {
            words.append(try cursor.take(UInt32.self, field: "an array"))
        }
        return words
    }
}

/// The texts of one array, as they lie in the file: one buffer, no object per text.
package struct GGUFStrings: Sendable, RandomAccessCollection {
    private let bytes: [UInt8]
    /// The end of each text; a text starts 8 bytes (its length) after the end of the one before.
    private let ends: [Int]

    /// Cuts an array's bytes, or returns nil if they are not `count` texts.
    init?(bytes: [UInt8], count: Int) {
        var ends: [Int] = []
        ends.reserveCapacity(count)
        var position = 0
        for _ in 0..<count {
            guard bytes.count - position >= 8 else { return nil }
            var length: UInt64 = 0
            for index in (0..<8).reversed() {
                length = length << 8 | UInt64(bytes[position + index])
            }
            position += 8
            guard length <= UInt64(bytes.count - position) else { return nil }
            position += Int(length)
            ends.append(position)
        }
        guard position == bytes.count else { return nil }
        self.bytes = bytes
        self.ends = ends
    }

    /// 0.
    package var startIndex: Int { 0 }

    /// The number of texts.
    package var endIndex: Int { ends.count }

    /// The text at an index, in UTF-8.
    package subscript(index: Int) -> ArraySlice<UInt8> {
        let start = index == 0 ? 8 : ends[index - 1] + 8
        return bytes[start..<ends[index]]
    }
}
