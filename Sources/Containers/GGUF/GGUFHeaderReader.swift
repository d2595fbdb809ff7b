internal import Files

/// Reads the header of a GGUF file in order, and refuses what a sound writer does not write.
///
/// A count or length beyond what any file may have is an error of its own (`gguf.count`,
/// `gguf.string`, `gguf.array`); one that is merely more than the rest of this file means that the
/// file was cut (`gguf.truncated`).
struct GGUFHeaderReader {
    /// Pairs in one file.
    static let pairLimit = 100_000
    /// Tensors in one file.
    static let tensorLimit = 1_000_000
    /// Bytes of one text.
    static let stringLimit = 1 << 26
    /// Items of one array.
    static let arrayLimit = 1 << 24
    /// Bytes of all metadata.
    static let metadataLimit = 1 << 30
    /// Arrays within arrays.
    static let depthLimit = 4
    /// Bytes of a key.
    static let keyLimit = 65_535

    var cursor: GGUFCursor

    init(source: any ByteSource) {
        cursor = GGUFCursor(source: source)
    }

    /// Reads magic, version and the two counts.
    mutating func readPreamble() throws(CheckpointError) -> (
        version: UInt32, tensors: Int, pairs: Int
    ) {
        try readMagic()
        let version = try readVersion()
        let tensors = try readCount(limit: Self.tensorLimit, field: "the count of tensors")
        let pairs = try readCount(limit: Self.pairLimit, field: "the count of pairs")
        return (version, tensors, pairs)
    }

    /// Reads the pairs.
    mutating func readEntries(
        count: Int
    ) throws(CheckpointError) -> ([GGUFEntry], [Name: Int]) {
        var entries: [GGUFEntry] = []
        var index: [Name: Int] = [:]
        for entryIndex in 0..<count {
            let keyOffset = cursor.position
            let key = try readKey()
            guard index.updateValue(entryIndex, forKey: key) == nil else {
                var error = cursor.error(.ggufDuplicateKey, "the key occurs twice", at: keyOffset)
                error.key = key.text
                throw error
            }
            do throws(CheckpointError) {
                let type = try readValueType(at: cursor.position)
                let valueOffset = cursor.position
                let value = try readValue(of: type, depth: 0)
                entries.append(GGUFEntry(key: key, value: value, valueOffset: valueOffset))
            } catch {
                var error = error
                error.key = error.key ?? key.text
                throw error
            }
            guard cursor.position <= Self.metadataLimit else {
                throw cursor.error(
                    .limitFileSize,
                    "the metadata is longer than any model needs",
                    at: cursor.position,
                    expected: "at most \(Self.metadataLimit) bytes"
                )
            }
        }
        return (entries, index)
    }

    private mutating func readMagic() throws(CheckpointError) {
        guard cursor.remaining > 0 else {
            throw cursor.error(.fileEmpty, "the file is empty", at: 0)
        }
        try cursor.require(4, field: "the magic number", at: 0)
        let magic = try cursor.takeBytes(4)
        guard magic == Array("GGUF".utf8) else {
            let isAncestor = ["ggml", "ggmf", "ggjt", "lmgg", "fmgg", "tjgg"]
                .contains { Array($0.utf8) == magic }
            let message =
                isAncestor ? "an ancestor of GGUF, which nobody reads any more" : "not a GGUF file"
            throw cursor.error(
                .ggufMagic,
                message,
                at: 0,
                expected: "GGUF",
                found: String(decoding: magic, as: UTF8.self)
            )
        }
    }

    private mutating func readVersion() throws(CheckpointError) -> UInt32 {
        let offset = cursor.position
        let version = try cursor.take(UInt32.self, field: "the version")
        if version == 2 || version == 3 { return version }
        if version == 0 {
            var error = cursor.error(
                .ggufVersion,
                "no such version of GGUF",
                at: offset,
                expected: "2 or 3",
                found: "0"
            )
            error.category = .badData
            throw error
        }
        if version & 0xFFFF == 0 {
            throw cursor.error(
                .ggufVersion,
                "the file is big-endian; only little-endian GGUF is read",
                at: offset,
                expected: "2 or 3",
                found: "\(version.byteSwapped) with the bytes swapped"
            )
        }
        throw cursor.error(
            .ggufVersion,
            "this version of GGUF is not read",
            at: offset,
            expected: "2 or 3",
            found: "\(version)"
        )
    }

    private mutating func readCount(limit: Int, field: String) throws(CheckpointError) -> Int {
        let offset = cursor.position
        let count = try cursor.take(UInt64.self, field: field)
        guard count <= limit else {
            throw cursor.error(
                .ggufCount,
                "\(field) is more than a file may have",
                at: offset,
                expected: "at most \(limit)",
                found: "\(count)"
            )
        }
        return Int(count)
    }

    private mutating func readKey() throws(CheckpointError) -> Name {
        let offset = cursor.position
        let count = try readStringLength(field: "a key", at: offset)
        guard (1...Self.keyLimit).contains(count) else {
            throw cursor.error(
                .ggufKey,
                count == 0 ? "a key without a name" : "a key too long",
                at: offset,
                expected: "1 to \(Self.keyLimit) bytes",
                found: "\(count)"
            )
        }
        let bytes = try cursor.takeBytes(count)
        guard isPrintableText(bytes) else {
            throw cursor.error(
                .ggufKey,
                "a key that is not UTF-8 text without control characters",
                at: offset,
                expected: "text",
                found: String(decoding: bytes, as: UTF8.self)
            )
        }
        return Name(utf8: bytes)
    }

    /// Reads the length of a text, and makes sure that the text is there.
    mutating func readStringLength(
        field: String,
        at offset: Int
    ) throws(CheckpointError) -> Int {
        let count = try cursor.take(UInt64.self, field: "the length of \(field)")
        guard count <= Self.stringLimit else {
            throw cursor.error(
                .ggufString,
                "\(field) is longer than a file may have it",
                at: offset,
                expected: "at most \(Self.stringLimit) bytes",
                found: "\(count)"
            )
        }
        try cursor.require(Int(count), field: field, at: offset)
        return Int(count)
    }

    /// Whether bytes are UTF-8 without control characters.
    func isPrintableText(_ bytes: [UInt8]) -> Bool {
        var validator = UTF8Validator()
        return validator.accept(bytes[...]) && validator.isComplete
            && !bytes.contains { $0 < 0x20 || $0 == 0x7F }
    }
}
