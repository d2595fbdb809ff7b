@testable import Containers
@testable import Files

/// Builds zstd frames by hand, byte by byte.
enum ZstdTestFrames {
    /// What a block holds.
    enum Block {
        case raw([UInt8])
        case rle(UInt8, count: Int)
        case reserved
    }

    static func number(_ value: UInt64, _ byteCount: Int) -> [UInt8] {
        (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }

    /// Returns a frame without checksum whose window is 1 MiB, or its content.
    static func frame(
        _ blocks: [Block],
        contentByteCount: UInt64? = nil,
        isSingleSegment: Bool = false,
        windowByte: UInt8 = 0x50,
        extraBits: UInt8 = 0,
        dictionary: [UInt8] = []
    ) -> [UInt8] {
        let count = blocks.reduce(UInt64(0)) { sum, block in
            switch block {
            case .raw(let bytes): sum + UInt64(bytes.count)
            case .rle(_, let count): sum + UInt64(count)
            case .reserved: sum
            }
        }
        var bytes = number(UInt64(ZstdFrameHeader.magic), 4)
        bytes.append(0xC0 | (isSingleSegment ? 0x20 : 0) | extraBits)
        if !isSingleSegment { bytes.append(windowByte) }
        bytes += dictionary
        bytes += number(contentByteCount ?? count, 8)
        for (index, block) in blocks.enumerated() {
            let last: UInt64 = index == blocks.count - 1 ? 1 : 0
            switch block {
            case .raw(let content): bytes += number(UInt64(content.count) << 3 | last, 3) + content
            case .rle(let byte, let count):
                bytes += number(UInt64(count) << 3 | 2 | last, 3) + [byte]
            case .reserved: bytes += number(8 << 3 | 6 | last, 3) + [0]
            }
        }
        return bytes
    }

    static func skippable(_ content: [UInt8], magic: UInt64 = 0x184D_2A50) -> [UInt8] {
        number(magic, 4) + number(UInt64(content.count), 4) + content
    }

    /// Returns a seek table without checksums.
    static func table(
        _ entries: [(packed: Int, content: Int)],
        count: UInt64? = nil,
        descriptor: UInt8 = 0
    ) -> [UInt8] {
        let body = entries.flatMap { number(UInt64($0.packed), 4) + number(UInt64($0.content), 4) }
        return skippable(
            body + number(count ?? UInt64(entries.count), 4) + [descriptor]
                + number(UInt64(ZstdSeekTable.footerMagic), 4),
            magic: UInt64(ZstdSeekTable.frameMagic)
        )
    }

    static func open(_ bytes: [UInt8]) throws -> ZstdFile {
        try ZstdFile(BytesInMemory(bytes, fileName: "x.zst"))
    }

    static func content(of bytes: [UInt8]) throws -> [UInt8] {
        let file = try open(bytes)
        return try file.bytes(in: 0..<file.byteCount)
    }
}
