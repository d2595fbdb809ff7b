internal import CheckpointIO
internal import Machine
internal import SIMDKernels
internal import Tensors

/// Looks for NaN and infinity in whole tensors, on the threads and within the memory of a run.
struct NonFiniteCheck {
    private let workers: WorkerPool
    private let scratch: ScratchPool

    /// Elements that are looked at together.
    private static let tileElementCount = 1 << 20

    /// Makes a check that allocates with the first tensor.
    init(_ options: RunOptions) throws(CheckpointError) {
        workers = options.workers
        scratch = try ScratchPool(workerCount: workers.threadCount, budget: options.budget)
    }

    /// Returns the error for a tensor's elements that are not finite; nil if all are.
    func error(in source: any FloatSource) throws(CheckpointError) -> CheckpointError? {
        let tile = Self.tileElementCount
        let count = (source.elementCount + tile - 1) / tile
        let areFinite = try workers.map(count) {
            (index, worker) throws(CheckpointError) -> Bool in
            let range = index * tile..<min((index + 1) * tile, source.elementCount)
            return try scratch.withScratch(of: worker) { (scratch) throws(CheckpointError) in
                try Self.isFinite(range, of: source, &scratch)
            }
        }
        guard areFinite.contains(false) else { return nil }
        return try FloatScan(of: source).nonFiniteError()
    }

    private static func isFinite(
        _ range: Range<Int>,
        of source: any FloatSource,
        _ scratch: inout WorkerScratch
    ) throws(CheckpointError) -> Bool {
        let byteCount = range.count * source.dtype.byteCount
        try scratch.reserve(input: byteCount)
        try scratch.input.withMutablePrefix(byteCount) {
            (bytes: inout MutableRawSpan) throws(CheckpointError) in
            try source.read(range, into: &bytes, &scratch.reading)
        }
        return scratch.input.withPrefix(byteCount) { bytes in
            CountNonFiniteKernel.selected.count(in: bytes, as: source.dtype) == 0
        }
    }
}
