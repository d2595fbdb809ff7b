internal import Files

/// The frames of a zstd file: where each begins, and what of the unpacked file it holds.
struct ZstdFrameTable {
    /// The most frames that a file may have.
    static let frameLimit = 1 << 24
    private let frameLimit: Int

    /// One frame that holds data.
    struct Frame: Equatable {
        /// Its bytes in the packed file.
        let packed: Range<Int>
        /// Its bytes in the unpacked file.
        let content: Range<Int>
        /// The memory that decoding it piece by piece needs.
        let windowByteCount: Int
    }

    /// The frames with data, in order; empty ones are left out.
    private(set) var frames: [Frame] = []
    /// Frames with or without content, skippable ones not counted.
    private(set) var dataFrameCount = 0
    /// The length of the unpacked file.
    private(set) var contentByteCount = 0

    init(frameLimit: Int = Self.frameLimit) {
        self.frameLimit = frameLimit
    }

    /// Adds a frame behind the others.
    /// - Throws: `zstd.size` if the sum does not fit, `zstd.limit`.
    mutating func append(
        packed: Range<Int>,
        header: ZstdFrameHeader
    ) throws(CheckpointError) {
        let (end, overflow) = UInt64(contentByteCount)
            .addingReportingOverflow(header.contentByteCount)
        guard !overflow, let end = Int(exactly: end) else {
            throw CheckpointError(
                .zstdSize,
                "the frames promise more than 2^63 - 1 bytes",
                offset: UInt64(packed.lowerBound),
                found: "\(header.contentByteCount) in this frame"
            )
        }
        dataFrameCount += 1
        guard dataFrameCount <= frameLimit else {
            throw CheckpointError(
                .zstdLimit,
                "more than \(frameLimit) frames",
                offset: UInt64(packed.lowerBound)
            )
        }
        guard end > contentByteCount else { return }
        frames.append(
            Frame(
                packed: packed,
                content: contentByteCount..<end,
                windowByteCount: Int(header.windowByteCount)
            )
        )
        contentByteCount = end
    }

    /// Returns the place of the frame that holds a byte of the unpacked file.
    /// - Precondition: `offset` lies within the file.
    func index(holding offset: Int) -> Int {
        precondition(0..<contentByteCount ~= offset, "byte \(offset) of \(contentByteCount)")
        var low = 0
        var high = frames.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if frames[middle].content.lowerBound <= offset {
                low = middle
            } else {
                high = middle - 1
            }
        }
        return low
    }
}
