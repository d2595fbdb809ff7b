internal import Files

/// Finds the frames of a zstd file that has no seek table, from block to block, unpacking nothing.
///
/// What can be said of a frame without unpacking it is checked here: that it ends inside the file,
/// that its blocks are of known types and allowed sizes, and that what it promises to unpack to is
/// possible with these blocks. So nobody reserves a terabyte for 20 bytes.
struct ZstdFrameWalker {
    private let source: any ByteSource
    private var window: [UInt8] = []
    private var windowStart = 0

    /// A skippable frame that ends the file, if one does.
    private(set) var lastSkippable: (magic: UInt32, range: Range<Int>)?

    init(_ source: any ByteSource) {
        self.source = source
    }

    /// Reads through the file.
    /// - Throws: every `zstd.…` that shows without unpacking.
    mutating func table() throws(CheckpointError) -> ZstdFrameTable {
        var table = ZstdFrameTable()
        var offset = 0
        while offset < source.byteCount {
            let start = offset
            let head = try bytes(at: start, count: ZstdFrameHeader.maximumByteCount)
            guard head.count >= 4 else {
                throw start == 0 ? truncated(at: 0) : trailing(at: start)
            }
            let magic = ZstdMagic.number(head)
            if ZstdFrameHeader.isSkippable(magic) {
                var reader = LittleEndianReader(head, at: start)
                _ = try reader.number(byteCount: 4)
                let length = Int(try reader.number(byteCount: 4))
                guard length <= source.byteCount - start - 8 else { throw truncated(at: start) }
                offset = start + 8 + length
                lastSkippable = (magic, start..<offset)
                continue
            }
            guard magic == ZstdFrameHeader.magic else {
                throw start == 0 ? ZstdMagic.error(head) : trailing(at: start)
            }
            lastSkippable = nil
            let header = try ZstdFrameHeader(head, at: start)
            offset = try endOfFrame(header, at: start)
            try table.append(packed: start..<offset, header: header)
        }
        guard table.dataFrameCount > 0 else {
            throw CheckpointError(.zstdEmpty, "no frame holds data")
        }
        return table
    }

    /// Follows the blocks of a frame.
    /// - Returns: the offset behind it.
    private mutating func endOfFrame(
        _ header: ZstdFrameHeader,
        at start: Int
    ) throws(CheckpointError) -> Int {
        // A single segment's window is its content: too large a block there is a wrong size, and
        // is told as that.
        let blockLimit: UInt64 =
            header.isSingleSegment ? 128 << 10 : min(header.windowByteCount, 128 << 10)
        var offset = start + header.byteCount
        var atLeast: UInt64 = 0
        var atMost: UInt64 = 0
        while true {
            let head = try bytes(at: offset, count: 3)
            guard head.count == 3 else { throw truncated(at: offset) }
            let number = ZstdMagic.number(head)
            let size = UInt64(number >> 3)
            let stored: Int
            switch number >> 1 & 3 {
            case 0:
                stored = Int(size)
                atLeast += size
                atMost += size
            case 1:
                stored = 1
                atLeast += size
                atMost += size
            case 2:
                stored = Int(size)
                atMost += blockLimit
            default:
                throw CheckpointError(
                    .zstdCorrupt,
                    "a block of the reserved type",
                    offset: UInt64(offset)
                )
            }
            guard size <= blockLimit else {
                throw CheckpointError(
                    .zstdCorrupt,
                    "a block of \(size) bytes (at most \(blockLimit))",
                    offset: UInt64(offset)
                )
            }
            guard stored <= source.byteCount - offset - 3 else { throw truncated(at: offset) }
            offset += 3 + stored
            if number & 1 == 1 { break }
        }
        if header.hasChecksum {
            guard source.byteCount - offset >= 4 else { throw truncated(at: offset) }
            offset += 4
        }
        guard atLeast...max(atLeast, atMost) ~= header.contentByteCount else {
            throw CheckpointError(
                .zstdSize,
                "the frame does not unpack to what it promises",
                offset: UInt64(start),
                expected: "\(header.contentByteCount) bytes",
                found: atLeast == atMost ? "\(atLeast)" : "\(atLeast) to \(atMost)"
            )
        }
        return offset
    }

    /// Returns up to `count` bytes, fewer at the end of the file.
    private mutating func bytes(
        at offset: Int,
        count: Int
    ) throws(CheckpointError) -> ArraySlice<UInt8> {
        let end = min(offset + count, source.byteCount)
        guard offset < end else { return [] }
        if offset < windowStart || end > windowStart + window.count {
            // Small blocks follow each other closely; of large ones only the header is wanted.
            let length = offset == windowStart + window.count ? 64 << 10 : 4 << 10
            window = try source.bytes(in: offset..<min(offset + length, source.byteCount))
            windowStart = offset
        }
        return window[offset - windowStart..<end - windowStart]
    }

    private func truncated(at offset: Int) -> CheckpointError {
        CheckpointError(
            .zstdTruncated,
            "the file ends inside a frame",
            offset: UInt64(offset),
            hint: "download it again"
        )
    }

    private func trailing(at offset: Int) -> CheckpointError {
        CheckpointError(
            .zstdTrailing,
            "\(source.byteCount - offset) bytes after the last frame are no frame",
            offset: UInt64(offset)
        )
    }
}

/// The first bytes of files, and what they say.
enum ZstdMagic {
    /// Returns up to four bytes as a little-endian number.
    static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Returns the error for a file that does not begin with a zstd frame.
    static func error(_ head: ArraySlice<UInt8>) -> CheckpointError {
        let other: String? =
            if head.starts(with: [0x1F, 0x8B]) {
                "gzip"
            } else if head.starts(with: [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]) {
                "xz"
            } else if head.starts(with: Array("BZh".utf8)) {
                "bzip2"
            } else if 0xFD2F_B51E...0xFD2F_B527 ~= number(head) {
                "a format of zstd before 0.8, which is not read"
            } else {
                nil
            }
        return CheckpointError(
            .zstdMagic,
            "the file is not zstd" + (other.map { ", but \($0)" } ?? ""),
            offset: 0
        )
    }
}
