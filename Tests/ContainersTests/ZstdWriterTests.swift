import Foundation
import Machine
import Tensors
import TestSupport
import Testing

@testable import Containers
@testable import Files
@testable import HuggingFace

@Suite struct ZstdWriterTests {
    static func pack(
        _ content: [UInt8],
        boundaries: [Int],
        in folder: TemporaryFolder,
        workers: WorkerPool = .single,
        level: Int = 3
    ) throws -> [UInt8] {
        let name = "packed-\(UUID().uuidString)"
        let output = try SingleFileOutput(at: folder(name), sources: [])
        let count = try ZstdWriter(level: level).pack(
            BytesInMemory(content, fileName: "x"),
            boundaries: boundaries,
            to: output.file,
            workers: workers,
            budget: MemoryBudget(limitByteCount: 200 << 20)
        )
        try output.commit()
        let packed = try folder.bytes(name)
        #expect(packed.count == count)
        return packed
    }

    /// Bytes that zstd can shorten, different everywhere.
    static func content(_ byteCount: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: 11)
        let words = (0..<(byteCount + 7) / 8).map { _ in generator.next() & 0x0F03_0F07_0F0F_0F0F }
        return words.withUnsafeBytes { Array($0.prefix(byteCount)) }
    }

    @Test func restoresEveryLength() throws {
        let folder = try TemporaryFolder()
        for count in [0, 1, 2, 1023, 1 << 20, 5 << 20 + 1] {
            let content = Self.content(count)
            let packed = try Self.pack(content, boundaries: [0, 1, 1000, count], in: folder)
            let file = try ZstdTestFrames.open(packed)
            #expect(file.byteCount == count)
            #expect(try file.bytes(in: 0..<count) == content)
            try file.verify(workers: WorkerPool(threadCount: 3))
        }
    }

    @Test func givesTheSameBytesForAnyNumberOfThreads() throws {
        let folder = try TemporaryFolder()
        let content = Self.content(6_000_000)
        let boundaries = [64, 100, 4_500_000, 4_500_010, 5_700_000]
        let serial = try Self.pack(content, boundaries: boundaries, in: folder)
        for width in [2, 5] {
            let packed = try Self.pack(
                content,
                boundaries: boundaries,
                in: folder,
                workers: WorkerPool(threadCount: width)
            )
            #expect(packed == serial)
        }
        let best = try Self.pack(content, boundaries: boundaries, in: folder, level: 19)
        #expect(best.count < serial.count)
        #expect(try ZstdTestFrames.content(of: best) == content)
    }

    @Test func cutsFramesAtTensors() {
        let mebibyte = 1 << 20
        func frames(_ boundaries: [Int], _ count: Int) -> [Range<Int>] {
            ZstdWriter.frames(byteCount: count, boundaries: boundaries)
        }
        #expect(frames([], 0) == [0..<0])
        #expect(frames([0, 0, 5, 5], 5) == [0..<5])
        // The header alone; small tensors together up to 1 MiB; large ones alone, in 4 MiB pieces.
        #expect(
            frames([100, 200, 300, 300 + 9 * mebibyte], 300 + 9 * mebibyte + 7) == [
                0..<100, 100..<300, 300..<300 + 4 * mebibyte,
                300 + 4 * mebibyte..<300 + 8 * mebibyte, 300 + 8 * mebibyte..<300 + 9 * mebibyte,
                300 + 9 * mebibyte..<300 + 9 * mebibyte + 7,
            ]
        )
        #expect(
            frames([10, 10 + mebibyte / 2, 10 + mebibyte, 11 + mebibyte], 20 + mebibyte) == [
                0..<10, 10..<10 + mebibyte, 10 + mebibyte..<20 + mebibyte,
            ]
        )
    }

    @Test func unpacksOnlyTheFramesThatAreAskedFor() throws {
        let folder = try TemporaryFolder()
        let mebibyte = 1 << 20
        let content = Self.content(20 * mebibyte)
        let boundaries = stride(from: 2 * mebibyte, to: 20 * mebibyte, by: 2 * mebibyte)
        let packed = try Self.pack(content, boundaries: Array(boundaries), in: folder)
        let file = try ZstdTestFrames.open(packed)
        #expect(file.frameCount == 10)
        #expect(file.decodedByteCount == 0)
        for start in stride(from: 6 * mebibyte, to: 8 * mebibyte, by: 100_000) {
            let end = min(start + 100_000, 8 * mebibyte)
            #expect(try file.bytes(in: start..<end) == Array(content[start..<end]))
        }
        #expect(file.decodedByteCount == 2 * mebibyte)
        // Across a frame's end.
        let range = 8 * mebibyte - 5..<8 * mebibyte + 5
        #expect(try file.bytes(in: range) == Array(content[range]))
        #expect(file.decodedByteCount == 4 * mebibyte)
        let share = file.packedByteCount(of: 0..<file.byteCount)
        #expect(share == file.table.frames.reduce(0) { $0 + $1.packed.count })
    }

    @Test func readsFromManyThreadsAtOnce() throws {
        let folder = try TemporaryFolder()
        let content = Self.content(10_000_000)
        let packed = try Self.pack(content, boundaries: [500], in: folder)
        let file = try ZstdTestFrames.open(packed)
        try WorkerPool(threadCount: 8).perform(400) { (index, _) throws(CheckpointError) in
            var generator = SeededGenerator(seed: UInt64(index))
            let start = Int.random(in: 0..<content.count, using: &generator)
            let end = min(start + 20_000, content.count)
            let bytes = try file.bytes(in: start..<end)
            guard bytes == Array(content[start..<end]) else {
                throw CheckpointError(.zstdCorrupt, "wrong bytes at \(start)")
            }
        }
    }

    @Test func readsOneLargeFrameInBoundedMemory() throws {
        // 256 MiB of zeros and a tail, in one frame of repeated blocks.
        let blocks = (0..<2048).map { ZstdTestFrames.Block.rle(UInt8($0 & 3), count: 128 << 10) }
        let bytes = ZstdTestFrames.frame(blocks + [.raw([7, 8, 9])])
        let budget = MemoryBudget(limitByteCount: 40 << 20)
        let file = try ZstdFile(
            BytesInMemory(bytes, fileName: "x"),
            memory: ZstdMemory(budget: budget)
        )
        #expect(file.byteCount == 256 << 20 + 3)
        #expect(budget.inUseByteCount == 0)
        let piece = 128 << 10
        #expect(try file.bytes(in: piece - 1..<piece + 1) == [0, 1])
        #expect(file.decodedByteCount <= 2 << 20)
        // A little out of order costs nothing more.
        for index in [9, 7, 8, 12, 10] {
            #expect(try file.bytes(in: index * piece..<index * piece + 1) == [UInt8(index & 3)])
        }
        #expect(file.decodedByteCount <= 4 << 20)
        let end = file.byteCount
        #expect(try file.bytes(in: end - 4..<end) == [3, 7, 8, 9])
        // Far back: again from the start.
        #expect(try file.bytes(in: 0..<2) == [0, 0])
        try file.verify()
        #expect(budget.peakByteCount <= 40 << 20)
    }

    @Test func refusesToGoBackAndForthInOneLargeFrameForEver() throws {
        let blocks = (0..<512).map { ZstdTestFrames.Block.rle(UInt8($0 & 3), count: 128 << 10) }
        let bytes = ZstdTestFrames.frame(blocks)
        let file = try ZstdFile(BytesInMemory(bytes, fileName: "x"))
        let end = file.byteCount
        let error = try expectError(.zstdOrder) {
            for _ in 0..<1000 {
                _ = try file.bytes(in: end - 1..<end)
                _ = try file.bytes(in: 0..<1)
            }
        }
        #expect(error.hint?.contains("zstd -d") == true)
        // Three times the frame, half a gibibyte, and one pass more.
        #expect(file.decodedByteCount <= 4 * end + 512 << 20)
        #expect(file.decodedByteCount > 3 * end)
    }

    @Test func shardsShareOneBudget() throws {
        let folder = try TemporaryFolder()
        let shardCount = 12
        var map: [String] = []
        for number in 0..<shardCount {
            var shard = SafetensorsBytes()
            let bytes = Self.content(4 << 20)
            shard.add("t\(number)", "U8", [bytes.count], bytes)
            let name = "model-\(number).safetensors.zst"
            let packed = try Self.pack(shard.bytes, boundaries: [], in: folder)
            try folder.write(name, packed)
            map.append("\"t\(number)\": \"\(name)\"")
        }
        try folder.write(
            "model.safetensors.index.json",
            Array("{\"weight_map\": {\(map.joined(separator: ", "))}}".utf8)
        )
        // Less than three shards take, packed and unpacked.
        let budget = MemoryBudget(limitByteCount: 18 << 20)
        var options = Checkpoint.Options(allowsAnyArchitecture: true)
        options.budget = budget
        let checkpoint = try Checkpoint(at: folder.path, options: options)
        let expected = Self.content(4 << 20)
        for tensor in checkpoint.tensors {
            var bytes = [UInt8](repeating: 0, count: 4096)
            for start in [0, 1 << 20, 4 << 20 - 4096] {
                try bytes.withMutableRawSpan {
                    (span: inout MutableRawSpan) throws(CheckpointError) in
                    try tensor.read(start..<start + 4096, into: &span)
                }
                #expect(bytes == Array(expected[start..<start + 4096]))
            }
        }
        #expect(checkpoint.tensors.count == shardCount)
        #expect(budget.peakByteCount > 4 << 20)
    }

    @Test func countsItsBuffersAgainstTheBudget() throws {
        let folder = try TemporaryFolder()
        let content = Self.content(5_000_000)
        let packed = try Self.pack(content, boundaries: [], in: folder)
        let budget = MemoryBudget(limitByteCount: 1 << 20)
        let file = try ZstdFile(
            BytesInMemory(packed, fileName: "x"),
            memory: ZstdMemory(budget: budget)
        )
        let error = try expectError(.limitMemory) { try file.bytes(in: 0..<10) }
        #expect(error.code.category == .stopped)
        #expect(budget.inUseByteCount == 0)
        let output = try SingleFileOutput(at: folder("x"), sources: [])
        try expectError(.limitMemory) {
            try ZstdWriter().pack(
                BytesInMemory(content, fileName: "x"),
                boundaries: [],
                to: output.file,
                budget: budget
            )
        }
    }

    @Test func makesDoWithRoomForOneFrame() throws {
        let folder = try TemporaryFolder()
        let content = Self.content(9_000_000)
        let budget = MemoryBudget(limitByteCount: 9 << 20)
        let output = try SingleFileOutput(at: folder("x"), sources: [])
        try ZstdWriter().pack(
            BytesInMemory(content, fileName: "x"),
            boundaries: [],
            to: output.file,
            workers: WorkerPool(threadCount: 4),
            budget: budget
        )
        try output.commit()
        let packed = try folder.bytes("x")
        #expect(try Self.pack(content, boundaries: [], in: folder) == packed)
        let file = try ZstdFile(
            BytesInMemory(packed, fileName: "x"),
            memory: ZstdMemory(budget: budget)
        )
        for start in stride(from: 0, to: content.count, by: 1_000_000) {
            let range = start..<min(start + 500_000, content.count)
            #expect(try file.bytes(in: range) == Array(content[range]))
        }
        #expect(budget.peakByteCount <= 9 << 20)
    }

    @Test func stopsBetweenFrames() throws {
        let folder = try TemporaryFolder()
        let stop = StopFlag()
        stop.request()
        let output = try SingleFileOutput(at: folder("x"), sources: [])
        try expectError(.outputStopped) {
            try ZstdWriter().pack(
                BytesInMemory([1], fileName: "x"),
                boundaries: [],
                to: output.file,
                stop: stop
            )
        }
    }
}
