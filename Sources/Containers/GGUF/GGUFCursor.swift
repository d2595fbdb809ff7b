internal import Files

/// Reads a GGUF header from front to back through a window of fixed size.
///
/// Nothing is allocated by what the file declares: memory grows only with bytes that were there.
struct GGUFCursor {
    /// Bytes read at a time.
    private static let windowByteCount = 1 << 16

    let source: any ByteSource
    /// The first byte not yet taken.
    private(set) var position: Int
    private var window: [UInt8] = []
    private var windowStart = 0

    init(source: any ByteSource, at position: Int = 0) {
        self.source = source
        self.position = position
    }

    /// The number of bytes not yet taken.
    var remaining: Int { source.byteCount - position }

    /// Returns an error of the field that starts at `offset`.
    func error(
        _ code: CheckpointError.Code,
        _ message: String,
        at offset: Int,
        expected: String? = nil,
        found: String? = nil
    ) -> CheckpointError {
        CheckpointError(
            code,
            message,
            file: source.fileName,
            offset: UInt64(offset),
            expected: expected,
            found: found
        )
    }

    /// Throws `gguf.truncated` unless `count` more bytes are there, for the field at `offset`.
    func require(_ count: Int, field: String, at offset: Int) throws(CheckpointError) {
        guard count <= remaining else {
            throw error(
                .ggufTruncated,
                "the file ends inside \(field)",
                at: offset,
                expected: "\(count) bytes more",
                found: "\(remaining)"
            )
        }
    }

    /// Takes a little-endian number.
    mutating func take<Number: FixedWidthInteger>(
        _ type: Number.Type,
        field: String
    ) throws(CheckpointError) -> Number {
        let width = Number.bitWidth / 8
        try require(width, field: field, at: position)
        try load(width)
        let start = position - windowStart
        var number: UInt64 = 0
        for byte in window[start..<start + width].reversed() {
            number = number << 8 | UInt64(byte)
        }
        position += width
        return Number(truncatingIfNeeded: number)
    }

    /// Takes bytes known to be there.
    mutating func takeBytes(_ count: Int) throws(CheckpointError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            let part = try loadSome(count - bytes.count)
            bytes += window[part]
            position += part.count
        }
        return bytes
    }

    /// Skips bytes known to be there without reading them.
    mutating func skip(_ count: Int) {
        position += count
    }

    /// Skips bytes known to be there, and returns whether they are UTF-8.
    mutating func skipText(_ count: Int) throws(CheckpointError) -> Bool {
        var validator = UTF8Validator()
        var rest = count
        while rest > 0 {
            let part = try loadSome(rest)
            guard validator.accept(window[part]) else { return false }
            position += part.count
            rest -= part.count
        }
        return validator.isComplete
    }

    /// Skips bytes known to be there, and returns the place of the first above 1.
    mutating func skipBools(_ count: Int) throws(CheckpointError) -> Int? {
        var rest = count
        while rest > 0 {
            let part = try loadSome(rest)
            if let bad = window[part].firstIndex(where: { $0 > 1 }) {
                return windowStart + bad
            }
            position += part.count
            rest -= part.count
        }
        return nil
    }

    /// Returns the part of the window that holds the next bytes, at most `count` of them.
    private mutating func loadSome(_ count: Int) throws(CheckpointError) -> Range<Int> {
        let wanted = min(count, Self.windowByteCount)
        if position < windowStart || position >= windowStart + window.count { try load(wanted) }
        let start = position - windowStart
        return start..<min(start + wanted, window.count)
    }

    /// Makes the next `count` bytes part of the window.
    /// - Precondition: they are there, and no more than a window.
    private mutating func load(_ count: Int) throws(CheckpointError) {
        let end = position + count
        if position >= windowStart, end <= windowStart + window.count { return }
        let length = min(Self.windowByteCount, source.byteCount - position)
        precondition(count <= length, "\(count) bytes at \(position), only \(length) there")
        window = try source.bytes(in: position..<position + length)
        windowStart = position
    }
}
