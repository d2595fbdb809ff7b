internal import CheckpointIO
internal import Machine
internal import SIMDKernels

/// Runs the tiles of many tensors on the threads of a run.
///
/// Tensors are taken in batches, so that small ones share the threads and large ones do not hold
/// more than a batch's scales in memory. What is written depends on neither.
struct TileRunner: Sendable {
    /// Elements of the tensors that are worked on together; one tensor may have more.
    private static let batchElementCount = 1 << 26

    let workers: WorkerPool
    let scratch: ScratchPool
    let progress: ProgressTracker

    /// Works through jobs.
    /// - Returns: the results of each job's tiles, in order.
    func run(_ jobs: [any TensorJob]) throws(CheckpointError) -> [[TileResult]] {
        var results: [[TileResult]] = []
        var first = 0
        while first < jobs.count {
            var end = first + 1
            var count = jobs[first].elementCount
            while end < jobs.count, count + jobs[end].elementCount <= Self.batchElementCount {
                count += jobs[end].elementCount
                end += 1
            }
            results += try runBatch(Array(jobs[first..<end]))
            first = end
        }
        return results
    }

    private func runBatch(_ jobs: [any TensorJob]) throws(CheckpointError) -> [[TileResult]] {
        var results = [[TileResult]](repeating: [], count: jobs.count)
        for phase in 0..<(jobs.map(\.phaseCount).max() ?? 0) {
            let tiles = jobs.indices.filter { jobs[$0].phaseCount > phase }.flatMap { job in
                (0..<jobs[job].tileCount).map { (job: job, tile: $0) }
            }
            let found = try workers.map(tiles.count) {
                (index, worker) throws(CheckpointError) -> TileResult in
                let (job, tile) = (jobs[tiles[index].job], tiles[index].tile)
                return try run(job, tile, phase: phase, worker)
            }
            for (place, result) in zip(tiles, found) { results[place.job].append(result) }
            for job in jobs where job.phaseCount > phase {
                try job.finish(phase: phase)
            }
        }
        return results
    }

    private func run(
        _ job: any TensorJob,
        _ tile: Int,
        phase: Int,
        _ worker: Int
    ) throws(CheckpointError) -> TileResult {
        let range = job.tile(tile)
        let result: TileResult
        do throws(CheckpointError) {
            result = try scratch.withScratch(of: worker) { (scratch) throws(CheckpointError) in
                try job.run(range, phase: phase, scratch: &scratch)
            }
        } catch {
            throw error.ofTensor(job.name)
        }
        // The bytes of a tile, shared among the phases, add up to those of the tensor.
        let steps = job.tileCount * job.phaseCount
        let step = phase * job.tileCount + tile
        let (whole, rest) = job.sourceByteCount.quotientAndRemainder(dividingBy: steps)
        try progress.advance(by: whole + (step < rest ? 1 : 0), tensor: job.name)
        return result
    }
}
