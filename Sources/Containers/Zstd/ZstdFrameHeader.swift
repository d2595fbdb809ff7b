internal import Files

/// The header of a zstd frame, read by hand: what it promises is checked before it is believed.
///
/// Layout: RFC 8878, section 3.1.1.1.
struct ZstdFrameHeader: Equatable {
    /// The first four bytes of a frame, as a little-endian number.
    static let magic: UInt32 = 0xFD2F_B528
    /// The longest header, magic number included.
    static let maximumByteCount = 18
    /// The largest window that is accepted.
    static let windowLimit: UInt64 = 128 << 20

    /// The bytes of the header, magic number included.
    let byteCount: Int
    /// The bytes that the frame unpacks to.
    let contentByteCount: UInt64
    /// The memory that a decoder needs at once.
    let windowByteCount: UInt64
    /// Whether the whole content is the window.
    let isSingleSegment: Bool
    /// Whether the frame ends with four bytes of its content's XXH64.
    let hasChecksum: Bool

    /// Whether a number is that of a skippable frame.
    static func isSkippable(_ magic: UInt32) -> Bool {
        magic & 0xFFFF_FFF0 == 0x184D_2A50
    }

    /// Reads a header.
    ///
    /// Only what is there is judged; a caller that needs all of it passes
    /// `maximumByteCount` bytes, or up to the end of the file.
    /// - Throws: `zstd.truncated`, `.corrupt`, `.dictionary`, `.window`, `.sizeMissing`.
    init(_ bytes: ArraySlice<UInt8>, at offset: Int) throws(CheckpointError) {
        var reader = LittleEndianReader(bytes, at: offset)
        _ = try reader.number(byteCount: 4)
        let descriptor = try reader.number(byteCount: 1)
        func failure(_ code: CheckpointError.Code, _ message: String, at place: Int)
            -> CheckpointError
        {
            CheckpointError(code, message, offset: UInt64(offset + place))
        }
        guard descriptor & 0x08 == 0 else {
            throw failure(.zstdCorrupt, "a reserved bit of the frame header is set", at: 4)
        }
        isSingleSegment = descriptor & 0x20 != 0
        let hasDictionary = descriptor & 0x03 != 0
        var window: UInt64 = 0
        if !isSingleSegment {
            let byte = try reader.number(byteCount: 1)
            let base = UInt64(1) << (10 + (byte >> 3))
            window = base + base / 8 * (byte & 7)
        }
        if hasDictionary {
            let identifier = try reader.number(byteCount: [0, 1, 2, 4][Int(descriptor & 3)])
            // Zero says "none" at length.
            guard identifier == 0 else {
                throw failure(.zstdDictionary, "the frame needs dictionary \(identifier)", at: 4)
            }
        }
        guard window <= Self.windowLimit else { throw Self.windowTooLarge(window, at: offset + 5) }
        switch descriptor >> 6 {
        case 0 where !isSingleSegment:
            throw failure(
                .zstdSizeMissing,
                "the frame does not say how much it unpacks to",
                at: 4
            )
        case 0: contentByteCount = try reader.number(byteCount: 1)
        case 1: contentByteCount = try reader.number(byteCount: 2) + 256
        case 2: contentByteCount = try reader.number(byteCount: 4)
        default: contentByteCount = try reader.number(byteCount: 8)
        }
        guard contentByteCount != UInt64.max else {
            throw failure(
                .zstdSizeMissing,
                "the frame does not say how much it unpacks to",
                at: 4
            )
        }
        windowByteCount = isSingleSegment ? contentByteCount : window
        guard windowByteCount <= Self.windowLimit else {
            throw Self.windowTooLarge(windowByteCount, at: offset + 5)
        }
        hasChecksum = descriptor & 0x04 != 0
        byteCount = reader.position
    }

    private static func windowTooLarge(_ window: UInt64, at offset: Int) -> CheckpointError {
        CheckpointError(
            .zstdWindow,
            "unpacking the frame needs a window of \(window) bytes (at most \(windowLimit))",
            offset: UInt64(offset)
        )
    }
}

/// Reads little-endian numbers off a few bytes of a file.
struct LittleEndianReader {
    private let bytes: ArraySlice<UInt8>
    private let start: Int
    /// The bytes read so far.
    private(set) var position = 0

    init(_ bytes: ArraySlice<UInt8>, at offset: Int) {
        self.bytes = bytes
        start = offset
    }

    /// Reads a number of up to 8 bytes.
    /// - Throws: `zstd.truncated`.
    mutating func number(byteCount: Int) throws(CheckpointError) -> UInt64 {
        guard byteCount <= bytes.count - position else {
            throw CheckpointError(
                .zstdTruncated,
                "the file ends inside a frame header",
                offset: UInt64(start + position)
            )
        }
        var value: UInt64 = 0
        for index in (0..<byteCount).reversed() {
            value = value << 8 | UInt64(bytes[bytes.startIndex + position + index])
        }
        position += byteCount
        return value
    }
}
