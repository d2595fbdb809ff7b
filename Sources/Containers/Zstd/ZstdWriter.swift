package import Files
package import Machine
internal import Synchronization
internal import Tensors

/// Packs a finished file into independent zstd frames with a seek table.
///
/// Every frame has its content size and checksum; `zstd -d` restores the exact file, and
/// `ZstdFile` opens any part of it. Frames are packed one by one, each on one thread, so the bytes
/// do not depend on how many threads there are.
package struct ZstdWriter: Sendable {
    /// The levels that zstd knows without options.
    package static let levels = 1...22
    /// The most unpacked bytes of one frame.
    package static let frameByteCount = 4 << 20
    /// Neighbouring small tensors share a frame up to this many bytes.
    static let sharedFrameByteCount = 1 << 20

    /// The compression level.
    package let level: Int

    /// Chooses a level.
    /// - Parameter level: 3 is zstd's own default; codes of 4 bits gain nothing from more.
    /// - Precondition: one of `levels`.
    package init(level: Int = 3) {
        precondition(Self.levels ~= level, "zstd has no level \(level)")
        self.level = level
    }

    /// Packs a file.
    /// - Parameters:
    ///   - source: the file to pack.
    ///   - boundaries: where a frame may begin so that tensors can be read singly, for example
    ///     `SafetensorsLayout.boundaries`; ascending.
    ///   - file: the packed file, empty so far; finished by whoever created it.
    ///   - workers: packs frames side by side.
    ///   - budget: what buffers are counted against: about 8.3 MiB for each of two frames a thread.
    ///   - stop: looked at between frames.
    ///   - progress: told the unpacked bytes done so far, now and then.
    /// - Returns: the length of the packed file.
    /// - Throws: what reading and writing throws; `limit.memory`, `output.stopped`.
    @discardableResult
    package func pack(
        _ source: any ByteSource,
        boundaries: [Int],
        to file: OutputFile,
        workers: WorkerPool = .single,
        budget: MemoryBudget? = nil,
        stop: StopFlag? = nil,
        progress: (@Sendable (Int) -> Void)? = nil
    ) throws(CheckpointError) -> Int {
        let frames = Self.frames(byteCount: source.byteCount, boundaries: boundaries)
        let slots = try slots(upTo: min(2 * workers.threadCount, frames.count), budget: budget)
        var entries: [ZstdSeekTable.Entry] = []
        var end = 0
        var first = 0
        while first < frames.count {
            try stop?.check()
            let wave = Array(zip(slots, frames[first..<min(first + slots.count, frames.count)]))
            try workers.perform(wave.count) { (index, _) throws(CheckpointError) in
                try wave[index].0.pack(wave[index].1, of: source)
            }
            var offsets: [Int] = []
            for (slot, _) in wave {
                let entry = slot.entry
                offsets.append(end)
                end += Int(entry.packedByteCount)
                entries.append(entry)
            }
            let places = offsets
            try workers.perform(wave.count) { (index, _) throws(CheckpointError) in
                try wave[index].0.write(to: file, at: places[index])
            }
            first += wave.count
            progress?(frames[first - 1].upperBound)
        }
        let table = ZstdSeekTable.bytes(of: entries)
        try table.withRawSpan { (bytes) throws(CheckpointError) in
            try file.write(bytes, at: end)
        }
        end += table.count
        try file.truncate(byteCount: end)
        return end
    }

    /// Makes as many slots as are wanted and as the budget allows, but at least one.
    private func slots(
        upTo count: Int,
        budget: MemoryBudget?
    ) throws(CheckpointError) -> [ZstdFrameSlot] {
        var slots = [try ZstdFrameSlot(level: level, budget: budget)]
        while slots.count < count, let slot = try? ZstdFrameSlot(level: level, budget: budget) {
            slots.append(slot)
        }
        return slots
    }

    /// Cuts a file into frames: at boundaries; small neighbours together; large parts in pieces.
    ///
    /// The part before the first boundary that is not 0 is a frame of its own: the header, which
    /// every reader wants first.
    static func frames(byteCount: Int, boundaries: [Int]) -> [Range<Int>] {
        let cuts = boundaries.filter { 0 < $0 && $0 < byteCount } + [byteCount]
        var frames: [Range<Int>] = []
        var start = 0
        var shared: Range<Int>?
        for cut in cuts {
            precondition(cut >= start, "boundaries are not ascending: \(start), \(cut)")
            guard cut > start else { continue }
            let part = start..<cut
            start = cut
            if let known = shared, part.upperBound - known.lowerBound <= sharedFrameByteCount {
                shared = known.lowerBound..<part.upperBound
                continue
            }
            if let known = shared { frames.append(known) }
            shared = nil
            if part.count <= sharedFrameByteCount, part.lowerBound > 0 {
                shared = part
                continue
            }
            for piece in stride(from: part.lowerBound, to: part.upperBound, by: frameByteCount) {
                frames.append(piece..<min(piece + frameByteCount, part.upperBound))
            }
        }
        if let shared { frames.append(shared) }
        // An empty file still is a zstd file.
        return frames.isEmpty ? [0..<0] : frames
    }
}
