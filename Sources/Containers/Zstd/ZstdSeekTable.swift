internal import Files

/// The table at the end of a zstd file in the seekable format: the sizes of all frames.
///
/// A skippable frame: magic 0x184D2A5E, its size, entries of two or three 32-bit numbers (packed
/// size, unpacked size, low half of the content's XXH64), then the number of frames, a descriptor
/// and 0x8F92EAB1. An ordinary decoder passes over it.
enum ZstdSeekTable {
    static let frameMagic: UInt32 = 0x184D_2A5E
    static let footerMagic: UInt32 = 0x8F92_EAB1
    static let footerByteCount = 9

    /// One frame.
    struct Entry {
        let packedByteCount: UInt32
        let contentByteCount: UInt32
        let checksum: UInt32
    }

    /// Returns the whole skippable frame.
    static func bytes(of entries: [Entry]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + entries.count * 12 + footerByteCount)
        func append(_ number: UInt32) {
            for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
        }
        append(frameMagic)
        append(UInt32(entries.count * 12 + footerByteCount))
        for entry in entries {
            append(entry.packedByteCount)
            append(entry.contentByteCount)
            append(entry.checksum)
        }
        append(UInt32(entries.count))
        bytes.append(0x80)
        append(footerMagic)
        return bytes
    }

    /// Whether a file ends as a seek table does.
    static func hasFooter(_ source: any ByteSource) throws(CheckpointError) -> Bool {
        guard source.byteCount >= 8 + footerByteCount else { return false }
        let end = try source.bytes(in: source.byteCount - 4..<source.byteCount)
        return ZstdMagic.number(end[...]) == footerMagic
    }

    /// Reads the table of a file and checks it against the header and the end of every frame.
    /// - Returns: `nil` if the file has none at the place where it would have to be.
    /// - Throws: `zstd.seekTable` if it contradicts itself or the frames; what a frame header
    ///   throws.
    static func read(_ source: any ByteSource) throws(CheckpointError) -> ZstdFrameTable? {
        let fileByteCount = source.byteCount
        guard try hasFooter(source) else { return nil }
        let footer = try source.bytes(in: fileByteCount - footerByteCount..<fileByteCount)
        let frameCount = Int(ZstdMagic.number(footer[0...]))
        let descriptor = footer[4]
        let entryByteCount = descriptor & 0x80 != 0 ? 12 : 8
        let tableByteCount = frameCount * entryByteCount + footerByteCount
        guard tableByteCount + 8 <= fileByteCount else { return nil }
        let start = fileByteCount - tableByteCount - 8
        let head = try source.bytes(in: start..<start + 8)
        // Whether something else that ends like a table is one, the frames have to say.
        guard ZstdMagic.number(head[0...]) == frameMagic,
            Int(ZstdMagic.number(head[4...])) == tableByteCount
        else { return nil }
        guard descriptor & 0x7C == 0 else {
            throw error("a reserved bit is set", at: fileByteCount - 5)
        }
        guard frameCount <= ZstdFrameTable.frameLimit else {
            throw error("more than \(ZstdFrameTable.frameLimit) frames", at: fileByteCount - 9)
        }
        return try table(
            in: source,
            entriesStart: start + 8,
            frameCount: frameCount,
            entryByteCount: entryByteCount,
            end: start
        )
    }

    /// Checks the entries, a few thousand at a time.
    private static func table(
        in source: any ByteSource,
        entriesStart: Int,
        frameCount: Int,
        entryByteCount: Int,
        end: Int
    ) throws(CheckpointError) -> ZstdFrameTable {
        var table = ZstdFrameTable()
        var check = FrameCheck(source: source, end: end)
        var index = 0
        while index < frameCount {
            let count = min(4096, frameCount - index)
            let first = entriesStart + index * entryByteCount
            let bytes = try source.bytes(in: first..<first + count * entryByteCount)
            for position in 0..<count {
                let place = position * entryByteCount
                let entry = Entry(
                    packedByteCount: ZstdMagic.number(bytes[place...]),
                    contentByteCount: ZstdMagic.number(bytes[(place + 4)...]),
                    checksum: entryByteCount == 12 ? ZstdMagic.number(bytes[(place + 8)...]) : 0
                )
                try check.append(
                    entry,
                    hasChecksum: entryByteCount == 12,
                    at: first + place,
                    to: &table
                )
            }
            index += count
        }
        try check.finish()
        guard table.dataFrameCount > 0 else {
            throw CheckpointError(.zstdEmpty, "no frame holds data")
        }
        return table
    }

    static func error(_ message: String, at offset: Int) -> CheckpointError {
        CheckpointError(
            .zstdSeekTable,
            "the seek table is wrong: \(message)",
            offset: UInt64(offset)
        )
    }

    /// Walks over the frames as the table says, comparing both.
    private struct FrameCheck {
        let source: any ByteSource
        /// Where the frames have to end.
        let end: Int
        private var offset = 0
        /// The checksum that the frame which ends at `offset` has to end with.
        private var awaited: (checksum: UInt32, entryOffset: Int)?

        init(source: any ByteSource, end: Int) {
            self.source = source
            self.end = end
        }

        mutating func append(
            _ entry: Entry,
            hasChecksum: Bool,
            at entryOffset: Int,
            to table: inout ZstdFrameTable
        ) throws(CheckpointError) {
            let next = offset + Int(entry.packedByteCount)
            guard next <= end else {
                throw error("a frame would end behind the others", at: entryOffset)
            }
            // The end of the frame before and the header of this one in one read.
            let before = min(4, offset)
            let stop = min(offset + ZstdFrameHeader.maximumByteCount, end)
            let bytes = try source.bytes(in: offset - before..<stop)
            try compareChecksum(bytes.prefix(before))
            let head = bytes[before...]
            let magic = ZstdMagic.number(head)
            if ZstdFrameHeader.isSkippable(magic), head.count >= 8, entry.contentByteCount == 0,
                UInt64(ZstdMagic.number(head[(before + 4)...])) + 8 == entry.packedByteCount
            {
                offset = next
                return
            }
            guard head.count >= 4, magic == ZstdFrameHeader.magic else {
                throw error("no frame begins at byte \(offset)", at: entryOffset)
            }
            let header = try ZstdFrameHeader(head, at: offset)
            guard header.contentByteCount == entry.contentByteCount else {
                throw error(
                    "a frame of \(header.contentByteCount) bytes is listed with "
                        + "\(entry.contentByteCount)",
                    at: entryOffset + 4
                )
            }
            guard header.byteCount + 3 <= entry.packedByteCount else {
                throw error("a frame is listed as too short", at: entryOffset)
            }
            if hasChecksum, header.hasChecksum { awaited = (entry.checksum, entryOffset) }
            try table.append(packed: offset..<next, header: header)
            offset = next
        }

        mutating func finish() throws(CheckpointError) {
            guard offset == end else {
                throw error("the listed frames end at byte \(offset), not \(end)", at: end)
            }
            let bytes = try source.bytes(in: offset - min(4, offset)..<offset)
            try compareChecksum(bytes[...])
        }

        private mutating func compareChecksum(
            _ stored: ArraySlice<UInt8>
        ) throws(CheckpointError) {
            guard let awaited else { return }
            self.awaited = nil
            guard ZstdMagic.number(stored) == awaited.checksum else {
                throw error("a checksum is not that of its frame", at: awaited.entryOffset + 8)
            }
        }
    }
}
