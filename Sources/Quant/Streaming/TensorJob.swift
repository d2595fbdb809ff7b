internal import CheckpointIO
internal import SIMDKernels

/// The work on one tensor, cut into tiles that do not depend on the number of threads.
protocol TensorJob: Sendable {
    /// The tensor.
    var name: Name { get }
    /// The number of its elements.
    var elementCount: Int { get }
    /// The elements of a tile; the last may have fewer.
    var tileElementCount: Int { get }
    /// The bytes that are read, for progress.
    var sourceByteCount: Int { get }
    /// How often the tiles are gone through: the second time with something that only all of the
    /// first could tell.
    var phaseCount: Int { get }

    /// Works on one tile, on the thread of a worker.
    func run(
        _ range: Range<Int>,
        phase: Int,
        scratch: inout WorkerScratch,
        writer: SafetensorsWriter
    ) throws(CheckpointError) -> TileResult

    /// Called when all tiles of a phase are done, before the next begins.
    func finish(phase: Int, writer: SafetensorsWriter) throws(CheckpointError)
}

extension TensorJob {
    /// As many elements as keep a worker's buffers in its second-level cache; a multiple of every
    /// block size.
    static var usualTileElementCount: Int { 1 << 17 }

    var phaseCount: Int { 1 }
    var tileElementCount: Int { Self.usualTileElementCount }
    var tileCount: Int {
        elementCount / tileElementCount + (elementCount % tileElementCount == 0 ? 0 : 1)
    }

    func tile(_ index: Int) -> Range<Int> {
        let start = index * tileElementCount
        return start..<min(start + tileElementCount, elementCount)
    }

    func finish(phase: Int, writer: SafetensorsWriter) throws(CheckpointError) {}
}

/// What a tile adds to the report.
struct TileResult: Sendable {
    /// The errors of its elements; nil if they are not measured.
    var distortion: TileDistortion?
    /// Elements that became zero in another type.
    var flushedToZeroCount = 0
}
