internal import CSystem
public import Synchronization

/// Threads that run the rows or tiles of a job; the only place of the package that starts any.
///
/// The threads are made once and wait: a job starts and ends in a fraction of a microsecond while
/// they look for it, which they do for a while after each; then they sleep. The caller cuts the job
/// into tiles whose size does not depend on the number of threads, and each tile writes only its
/// own part of the output. So the result has the same bits for any number of threads, also for more
/// threads than cores.
///
/// A job that is started from inside another one, or while another thread uses the pool, runs on
/// the thread that starts it.
///
/// `@safe`: the C pool never leaves it, and is freed with it.
@safe
public final class WorkerPool: Sendable {
    /// The number of workers: the most tiles that are under way at the same time.
    public let threadCount: Int
    // Nil for one thread. Thread-safe itself.
    private nonisolated(unsafe) let workers: OpaquePointer?

    /// So long workers look for the next job before they sleep: longer than the gaps between the
    /// products of a model that makes one token after the other.
    private static let spinNanoseconds = 200_000

    /// Makes a pool of its own; see `shared(threadCount:)`.
    ///
    /// - Parameter threadCount: the number of workers, at least 1, the calling thread included.
    public init(threadCount: Int) {
        precondition((1...4096).contains(threadCount), "\(threadCount) threads")
        self.threadCount = threadCount
        guard threadCount > 1 else {
            unsafe workers = nil
            return
        }
        // Where threads outnumber cores, one that spins keeps another from working.
        let spin = threadCount <= AvailableCores.count ? Self.spinNanoseconds : 0
        unsafe workers = cs_workers_create(Int32(threadCount - 1), spin)
    }

    deinit {
        if let workers = unsafe workers { unsafe cs_workers_destroy(workers) }
    }

    /// The pool with a number of workers that the whole process shares; its threads are never made
    /// twice.
    /// - Parameter threadCount: at least 1; by default one for each core this process may use.
    /// - Returns: the same pool for the same number.
    public static func shared(threadCount: Int = AvailableCores.count) -> WorkerPool {
        pools.withLock { pools in
            if let pool = pools[threadCount] { return pool }
            let pool = WorkerPool(threadCount: threadCount)
            pools[threadCount] = pool
            return pool
        }
    }

    private static let pools = Mutex<[Int: WorkerPool]>([:])

    /// The calling thread alone.
    public static let single = WorkerPool(threadCount: 1)

    /// Runs `body` once for each index in `0 ..< count` and returns when all are done.
    ///
    /// Indices start in ascending order. After an error no further ones start.
    /// - Parameters:
    ///   - count: the number of tiles.
    ///   - body: receives the tile's index and the worker's, in `0 ..< threadCount`; no two calls
    ///     with the same worker overlap, so a worker's index can choose scratch memory.
    /// - Throws: the error of the lowest index that throws, whatever the number of threads.
    @inlinable
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
        run(workerCount) { worker in
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

    /// Calls `body` on so many threads at once, with their numbers; at least with 0.
    @usableFromInline
    func run(_ width: Int, _ body: (_ worker: Int) -> Void) {
        let isDone = withoutActuallyEscaping(body) { body in
            var call = SharedCall(body: body)
            return unsafe withUnsafeMutablePointer(to: &call) { call in
                guard let workers = unsafe workers else { return false }
                return unsafe cs_workers_run(
                    workers,
                    Int32(width),
                    { context, worker in
                        unsafe context?.assumingMemoryBound(to: SharedCall.self)
                            .pointee.perform(Int(worker))
                    },
                    call
                ) != 0
            }
        }
        if !isDone { body(0) }
    }
}

/// What all threads of a job call.
///
/// Not copyable, and borrowed by a function of its own: a copy would count references, and the threads take
/// that count from each other.
private struct SharedCall: ~Copyable {
    let body: (Int) -> Void

    @inline(never)
    borrowing func perform(_ worker: Int) { body(worker) }
}
