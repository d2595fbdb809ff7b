import Machine
import Tensors
import TestSupport
import Testing

@testable import Containers
@testable import Files

@Suite struct ZstdFileTests {
    typealias Frames = ZstdTestFrames

    @Test func readsTheGoldenFrames() throws {
        let cases = try #require(Golden.object("zstd_cases.json")["cases"] as? [[String: Any]])
        #expect(cases.count == 16)
        for entry in cases {
            let id = try #require(entry["id"] as? String)
            let hex = Array(try #require(entry["hex"] as? String).utf8)
            let bytes = stride(from: 0, to: hex.count, by: 2).compactMap { position in
                UInt8(String(decoding: hex[position..<position + 2], as: UTF8.self), radix: 16)
            }
            guard entry["valid"] as? Bool == true, id != "no_content_size" else {
                #expect(throws: CheckpointError.self, "\(id)") { try Frames.content(of: bytes) }
                continue
            }
            let content = try Frames.content(of: bytes)
            let digest = content.withRawSpan { FileDigest(of: $0).hexadecimal }
            #expect(digest == entry["content_sha256"] as? String, "\(id)")
            try Frames.open(bytes).verify(workers: WorkerPool(threadCount: 2))
        }
    }

    @Test func readsRawAndRepeatedBlocksAndSkipsWhatItDoesNotKnow() throws {
        let frame = Frames.frame([.raw([1, 2, 3]), .rle(9, count: 4)])
        let single = Frames.frame([.raw([5])], isSingleSegment: true)
        let empty = Frames.frame([.raw([])])
        let file = Frames.skippable([1, 2]) + frame + empty + Frames.skippable([]) + single
        #expect(try Frames.content(of: file) == [1, 2, 3, 9, 9, 9, 9, 5])
        #expect(try Frames.open(empty).byteCount == 0)
        let seekable =
            frame + single + Frames.table([(frame.count, 7), (single.count, 1)])
        #expect(try Frames.content(of: seekable) == [1, 2, 3, 9, 9, 9, 9, 5])
    }

    // MARK: Every defect has its code

    @Test func tellsOtherFormatsByTheirFirstBytes() throws {
        for (head, word) in [
            ([0x1F, 0x8B, 8, 0, 0], "gzip"), ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0], "xz"),
            (Array("BZh91".utf8), "bzip2"), ([0x27, 0xB5, 0x2F, 0xFD, 0], "before 0.8"),
            (Array("hello".utf8), "not zstd"),
        ] as [([UInt8], String)] {
            let error = try expectError(.zstdMagic) { try Frames.open(head) }
            #expect(error.message.contains(word))
            #expect(error.offset == 0)
        }
        try expectError(.fileEmpty) { try Frames.open([]) }
    }

    @Test func noticesAFileCutAtAnyPlace() throws {
        let frame = Frames.frame([.raw(Array(0..<40)), .rle(7, count: 500)])
        let whole = frame + frame
        for length in 1..<whole.count where length != frame.count {
            let code: CheckpointError.Code =
                frame.count + 1...frame.count + 3 ~= length ? .zstdTrailing : .zstdTruncated
            try expectError(code) { try Frames.open(Array(whole.prefix(length))) }
        }
        try expectError(.zstdTruncated) { try Frames.open(frame + [0x50, 0x2A, 0x4D, 0x18, 9]) }
        try expectError(.zstdTruncated) {
            try Frames.open(frame + Frames.skippable([1, 2, 3]).dropLast())
        }
    }

    @Test func refusesWhatAHeaderMayNotAskFor() throws {
        let block = [Frames.Block.raw([1])]
        let reserved = try expectError(.zstdCorrupt) {
            try Frames.open(Frames.frame(block, extraBits: 0x08))
        }
        #expect(reserved.offset == 4)
        let dictionary = try expectError(.zstdDictionary) {
            try Frames.open(Frames.frame(block, extraBits: 0x01, dictionary: [7]))
        }
        #expect(dictionary.offset == 4)
        // Dictionary 0 is none.
        let none = Frames.frame(block, extraBits: 0x03, dictionary: [0, 0, 0, 0])
        #expect(try Frames.content(of: none) == [1])
        // 2^(10 + 17) = 128 MiB is allowed, an eighth more is not.
        _ = try Frames.open(Frames.frame(block, windowByte: 17 << 3))
        for window in [17 << 3 | 1, 31 << 3 | 7] as [UInt8] {
            let error = try expectError(.zstdWindow) {
                try Frames.open(Frames.frame(block, windowByte: window))
            }
            #expect(error.offset == 5)
        }
        try expectError(.zstdWindow) {
            let size: UInt64 = 128 << 20 + 1
            return try Frames.open(
                Frames.frame(block, contentByteCount: size, isSingleSegment: true)
            )
        }
        try expectError(.zstdSizeMissing) {
            try Frames.open(Frames.frame(block, contentByteCount: UInt64.max))
        }
        let withoutSize = Frames.number(UInt64(ZstdFrameHeader.magic), 4) + [0, 0x50, 9, 0, 0, 1]
        try expectError(.zstdSizeMissing) { try Frames.open(withoutSize) }
    }

    @Test func refusesPromisesThatTheBlocksCannotKeep() throws {
        for promised: UInt64 in [0, 2, 4, 1 << 40, UInt64.max - 1, 1 << 63] {
            let error = try expectError(.zstdSize) {
                try Frames.open(Frames.frame([.raw([1, 2, 3])], contentByteCount: promised))
            }
            #expect(error.expected == "\(promised) bytes")
            #expect(error.found == "3")
        }
        try expectError(.zstdCorrupt) { try Frames.open(Frames.frame([.reserved])) }
        try expectError(.zstdCorrupt) {
            try Frames.open(Frames.frame([.rle(0, count: 128 << 10 + 1)]))
        }
    }

    @Test func refusesBytesBehindTheLastFrame() throws {
        let frame = Frames.frame([.raw([1])])
        for tail in [[0], [0, 0, 0, 0, 0], Array("garbage".utf8)] as [[UInt8]] {
            let error = try expectError(.zstdTrailing) { try Frames.open(frame + tail) }
            #expect(error.offset == UInt64(frame.count))
        }
        try expectError(.zstdEmpty) { try Frames.open(Frames.skippable([1, 2, 3])) }
        try expectError(.zstdEmpty) { try Frames.open(Frames.table([])) }
    }

    @Test func refusesASeekTableThatTheFramesContradict() throws {
        let one = Frames.frame([.raw([1, 2, 3])])
        let two = Frames.frame([.raw([4])])
        let frames = one + two
        let sound = [(one.count, 3), (two.count, 1)]
        #expect(try Frames.open(frames + Frames.table(sound)).byteCount == 4)
        let tables = [
            Frames.table([(one.count, 4), (two.count, 1)]),
            Frames.table([(one.count + 1, 3), (two.count - 1, 1)]),
            Frames.table([(one.count, 3)]),
            Frames.table([(frames.count, 4)]),
            Frames.table(sound + [(two.count, 1)]),
            Frames.table(sound, count: 3),
            Frames.table(sound, count: 0xFFFF_FFFF),
            Frames.table(sound, descriptor: 0x04),
            Frames.table(sound, descriptor: 0x40),
            Frames.table(sound, descriptor: 0x80),
        ]
        for (index, table) in tables.enumerated() {
            let error = #expect(throws: CheckpointError.self) {
                try Frames.open(frames + table)
            }
            #expect(error?.code == .zstdSeekTable, "table \(index): \(error.debugDescription)")
        }
    }

    @Test func passesOverASkippableFrameWithAnotherFooter() throws {
        let magic = UInt64(ZstdSeekTable.frameMagic)
        for content in [[], [1, 2, 3], [UInt8](repeating: 7, count: 100)] as [[UInt8]] {
            let bytes = Frames.frame([.raw([1, 2, 3])]) + Frames.skippable(content, magic: magic)
            #expect(try Frames.content(of: bytes) == [1, 2, 3])
        }
    }

    @Test func refusesSumsAndCountsBeyondTheLimits() throws {
        var table = ZstdFrameTable(frameLimit: 2)
        let frame = Frames.frame([.raw([1])], contentByteCount: 1 << 62)
        let header = try ZstdFrameHeader(frame[...], at: 0)
        try table.append(packed: 0..<10, header: header)
        try expectError(.zstdSize) { try table.append(packed: 10..<20, header: header) }
        let small = try ZstdFrameHeader(Frames.frame([.raw([1])])[...], at: 0)
        try table.append(packed: 10..<20, header: small)
        try expectError(.zstdLimit) { try table.append(packed: 20..<30, header: small) }
    }

    @Test func namesFileAndFrameOfDamage() throws {
        let folder = try TemporaryFolder()
        let content = randomBytes(of: "zstd", count: 300_000)
        let packed = try ZstdWriterTests.pack(content, boundaries: [100, 150_000], in: folder)
        let starts = try Frames.open(packed).table.frames.map(\.packed)
        #expect(starts.count == 2)
        // Any flipped bit of the data shows, as one of these.
        let allowed: Set<CheckpointError.Code> = [
            .zstdChecksum, .zstdCorrupt, .zstdSize, .zstdTruncated, .zstdSeekTable,
            .zstdDictionary, .zstdWindow, .zstdSizeMissing, .zstdTrailing, .zstdMagic,
        ]
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<200 {
            var damaged = packed
            let position = Int.random(in: 0..<packed.count, using: &generator)
            damaged[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            let error = #expect(throws: CheckpointError.self, "byte \(position)") {
                let found = try Frames.content(of: damaged)
                // Some bits mean nothing, such as a reserved one that decoders ignore.
                if found == content { throw CheckpointError(.zstdCorrupt, "", file: "x.zst") }
            }
            #expect(error?.file == "x.zst")
            #expect(error.map { allowed.contains($0.code) } == true, "byte \(position)")
        }
        var damaged = packed
        damaged[starts[1].lowerBound + 1000] ^= 0xFF
        let file = try Frames.open(damaged)
        let error = try expectError(.zstdChecksum) {
            try file.verify(workers: WorkerPool(threadCount: 2))
        }
        #expect(error.offset == UInt64(starts[1].lowerBound))
        // The first frame is still readable.
        #expect(try file.bytes(in: 0..<1) == Array(content[0..<1]))
    }
}
