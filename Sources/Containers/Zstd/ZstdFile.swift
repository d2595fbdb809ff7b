public import Files
public import Machine
internal import Tensors

/// The unpacked content of a zstd file, readable at any place.
///
/// Frames are found through the seek table, or from block to block where there is none. Frames of
/// up to 8 MiB are unpacked whole, on the threads that read them, and the last few are kept; so a
/// file of small frames (as `ZstdWriter` makes) gives single tensors at the price of their frames.
/// A larger frame is unpacked from its start on, keeping the last 32 MiB: for readers who go through
/// it roughly in order. Those who jump back in it too often are refused with `zstd.order`.
public final class ZstdFile: ByteSource {
    /// The name of the packed file.
    public var fileName: String { packed.fileName }
    /// The length of the unpacked file.
    public let byteCount: Int
    /// The length of the packed file.
    public let packedByteCount: Int

    let packed: any ByteSource
    let table: ZstdFrameTable
    let memory: ZstdMemory
    private let cache: ZstdFrameCache
    private let window: ZstdWindow

    /// Frames of up to this many bytes are unpacked whole.
    static let smallFrameByteCount = 8 << 20

    /// Opens a packed file: reads and checks all frame headers and the seek table, unpacks nothing.
    /// - Parameters:
    ///   - packed: the file.
    ///   - memory: what it shares with other files of the checkpoint.
    /// - Throws: `file.empty`, and every `zstd.…` that shows without unpacking.
    public init(
        _ packed: any ByteSource,
        memory: ZstdMemory = ZstdMemory()
    ) throws(CheckpointError) {
        self.packed = packed
        self.memory = memory
        packedByteCount = packed.byteCount
        do throws(CheckpointError) {
            table = try Self.frames(of: packed)
        } catch {
            throw error.inFile(packed.fileName)
        }
        byteCount = table.contentByteCount
        cache = ZstdFrameCache(packed, frames: table.frames, memory: memory)
        window = ZstdWindow(packed, memory: memory)
        memory.register(cache)
        memory.register(window)
    }

    /// The number of frames with content.
    public var frameCount: Int { table.frames.count }

    /// How many bytes have been unpacked so far, those thrown away included.
    package var decodedByteCount: Int {
        cache.decodedByteCount + window.decodedByteCount
    }

    /// Returns how many packed bytes the frames take that hold a part of the unpacked file.
    ///
    /// A frame that holds more than the part counts in proportion.
    /// - Precondition: the range lies within the file.
    public func packedByteCount(of range: Range<Int>) -> Int {
        guard !range.isEmpty else { return 0 }
        var sum = 0.0
        var index = table.index(holding: range.lowerBound)
        while index < table.frames.count {
            let frame = table.frames[index]
            guard frame.content.lowerBound < range.upperBound else { break }
            let share = frame.content.clamped(to: range).count
            sum += Double(frame.packed.count) * Double(share) / Double(frame.content.count)
            index += 1
        }
        return Int(sum.rounded())
    }

    /// Fills `bytes` from the byte at `offset` of the unpacked file on.
    /// - Throws: what reading the packed file throws; `zstd.corrupt`, `.checksum`, `.size`,
    ///   `.truncated`, `limit.memory`.
    public func read(at offset: Int, into bytes: inout MutableRawSpan) throws(CheckpointError) {
        precondition(
            offset >= 0 && bytes.byteCount <= byteCount - offset,
            "\(bytes.byteCount) bytes at \(offset) of \(byteCount)"
        )
        do throws(CheckpointError) {
            var done = 0
            while done < bytes.byteCount {
                let place = offset + done
                let index = table.index(holding: place)
                let frame = table.frames[index]
                let count = min(bytes.byteCount - done, frame.content.upperBound - place)
                var part = bytes._mutatingExtracting(done..<done + count)
                let start = place - frame.content.lowerBound
                if frame.isSmall {
                    try cache.read(index, from: start, into: &part)
                } else {
                    try window.read(frame, index: index, from: start, into: &part)
                }
                done += count
            }
        } catch {
            throw error.inFile(fileName)
        }
    }

    /// Unpacks everything once and checks it: sizes, checksums, ends of frames.
    /// - Parameter workers: for the frames of up to 8 MiB; a larger one is one thread's work.
    /// - Throws: the first defect in order of the file.
    public func verify(workers: WorkerPool = .single) throws(CheckpointError) {
        do throws(CheckpointError) {
            try workers.perform(table.frames.count) { (index, _) throws(CheckpointError) in
                let frame = self.table.frames[index]
                if frame.isSmall {
                    try self.cache.verify(index)
                } else {
                    try ZstdWindow.verify(frame, of: self.packed, budget: self.memory.budget)
                }
            }
        } catch {
            throw error.inFile(fileName)
        }
    }

    private static func frames(
        of packed: any ByteSource
    ) throws(CheckpointError) -> ZstdFrameTable {
        guard packed.byteCount > 0 else {
            throw CheckpointError(.fileEmpty, "the file is empty")
        }
        if let table = try ZstdSeekTable.read(packed) { return table }
        var walker = ZstdFrameWalker(packed)
        let table = try walker.table()
        if let last = walker.lastSkippable, last.magic == ZstdSeekTable.frameMagic,
            try ZstdSeekTable.hasFooter(packed)
        {
            throw ZstdSeekTable.error("its size and count disagree", at: last.range.lowerBound)
        }
        return table
    }
}

extension ZstdFrameTable.Frame {
    /// Whether the frame is unpacked whole.
    ///
    /// One that takes more packed than unpacked by far is not:
    /// its size was not limited by its content.
    var isSmall: Bool {
        content.count <= ZstdFile.smallFrameByteCount
            && packed.count <= ZstdFile.smallFrameByteCount + (64 << 10)
    }
}
