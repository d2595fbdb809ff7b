internal import Dispatch
internal import Synchronization

/// Runs the rows or tiles of a job on several threads; the only place of the package that does.
///
/// The caller cuts the job into tiles whose size does not depend on the number of threads, and each
/// tile writes only its own part of the output. So the result has the same bits for any number of
/// threads, also for more threads than cores.
package struct ParallelRows: Sendable {
    /// The number of workers: the most tiles that are under way at the same time.
    package let threadCount: Int

    /// Makes a runner.
    ///
    /// - Parameter threadCount: the number of workers, at least 1.
    package init(threadCount: Int = AvailableCores.count) {
        precondition(threadCount > 0, "\(threadCount) threads")
        self.threadCount = threadCount
    }

    /// Runs `body` once for each index in `0 ..< count` and returns when all are done.
    ///
    /// Indices start in ascending order. After an error no further ones start.
    /// - Parameters:
    ///   - count: the number of tiles.
    ///   - body: receives the tile's index and the worker's, in `0 ..< threadCount`; no two calls
    ///     with the same worker overlap, so a worker's index can choose scratch memory.
    /// - Throws: the error of the lowest index that throws, whatever the number of threads.
    package func perform<Failure: Error>(
        _ count: Int,
        _ body: @Sendable (_ index: Int, _ worker: Int) throws(Failure) -> Void
    ) throws(Failure) {
        precondition(count >= 0, "\(count) tiles")
        let workerCount = min(threadCount, count)
        guard workerCount > 1 else {
            for index in 0..<count { try body(index, 0) }
            return
        }
        let next = Atomic(0)
        let failure = Mutex<(index: Int, error: Failure)?>(nil)
        DispatchQueue.concurrentPerform(iterations: workerCount) { worker in
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < count else { return }
                do throws(Failure) {
                    try body(index, worker)
                } catch {
                    // Every lower index has started, so the lowest failure is found.
                    next.store(count, ordering: .relaxed)
                    failure.withLock { first in
                        if let known = first, known.index < index { return }
                        first = (index, error)
                    }
                    return
                }
            }
        }
        if let (_, error) = failure.withLock({ $0 }) { throw error }
    }
}
