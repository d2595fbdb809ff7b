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
        scratch: inout WorkerScratch
    ) throws(CheckpointError) -> TileResult

    /// Called when all tiles of a phase are done, before the next begins.
    func finish(phase: Int) throws(CheckpointError)
}

/// The work on one tensor that writes something.
protocol WritingJob: Sendable {
    /// The tensor.
    var name: Name { get }
    /// The number of its elements.
    var elementCount: Int { get }
    /// See `TensorJob`.
    var tileElementCount: Int { get }
    /// See `TensorJob`.
    var sourceByteCount: Int { get }
    /// See `TensorJob`.
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

/// A writing job together with the file that it writes to.
struct BoundJob: TensorJob {
    let job: any WritingJob
    let writer: SafetensorsWriter

    var name: Name { job.name }
    var elementCount: Int { job.elementCount }
    var tileElementCount: Int { job.tileElementCount }
    var sourceByteCount: Int { job.sourceByteCount }
    var phaseCount: Int { job.phaseCount }

    func run(
        _ range: Range<Int>,
        phase: Int,
        scratch: inout WorkerScratch
    ) throws(CheckpointError) -> TileResult {
        try job.run(range, phase: phase, scratch: &scratch, writer: writer)
    }

    func finish(phase: Int) throws(CheckpointError) {
        try job.finish(phase: phase, writer: writer)
    }
}

/// Sizes of tiles.
package enum TileSize {
    /// As many elements as keep a worker's buffers in its second-level cache; a multiple of every
    /// block size.
    package static let usual = 1 << 17
}

extension WritingJob {
    var phaseCount: Int { 1 }
    var tileElementCount: Int { TileSize.usual }

    func finish(phase: Int, writer: SafetensorsWriter) throws(CheckpointError) {}
}

extension TensorJob {
    var tileCount: Int {
        elementCount / tileElementCount + (elementCount % tileElementCount == 0 ? 0 : 1)
    }

    func tile(_ index: Int) -> Range<Int> {
        let start = index * tileElementCount
        return start..<min(start + tileElementCount, elementCount)
    }
}

/// What a tile adds to the report.
struct TileResult: Sendable {
    /// The errors of its elements; nil if they are not measured.
    var distortion: TileDistortion?
    /// Elements that became zero in another type.
    var flushedToZeroCount = 0
    /// Elements that are NaN or infinite, where these are looked for.
    var nonFiniteCount = 0
    /// The first of them and its place in the tensor.
    var firstNonFinite: (index: Int, value: Float)?
    /// What is wrong, where that does not end the run.
    var finding: CheckpointError?
}
