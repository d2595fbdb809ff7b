/// How to run a loop whose iterations are independent, given by whoever owns the threads.
///
/// This module starts no threads: digests and compression take the loop as a parameter, so it
/// needs no thread pool, no kernel library, and never nests one pool in another. What the
/// iterations write never depends on how many run at once.
public struct ParallelLoop: Sendable {
    /// The most iterations that run at once, at least 1: how much scratch memory is worth having.
    public let width: Int
    private let run: @Sendable (Int, @escaping @Sendable (Int) -> Void) -> Void

    /// Makes a loop.
    /// - Parameters:
    ///   - width: the most iterations that run at once.
    ///   - run: calls its second argument once with each number below its first, on any threads
    ///     and in any order, and returns when all calls have.
    public init(
        width: Int,
        run: @escaping @Sendable (_ count: Int, _ body: @escaping @Sendable (Int) -> Void) -> Void
    ) {
        precondition(width >= 1, "a loop \(width) wide")
        self.width = width
        self.run = run
    }

    /// One iteration after the other, on the calling thread.
    public static let serial = ParallelLoop(width: 1) { count, body in
        for index in 0..<count { body(index) }
    }

    /// Runs `body` with each number below `count`.
    /// - Throws: the error of the lowest-numbered iteration that failed, whatever ran first.
    func forEach(
        _ count: Int,
        _ body: @escaping @Sendable (Int) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        let failure = FirstFailure()
        run(count) { index in
            // Later iterations need not run once one has failed; earlier ones decide the error.
            guard failure.isStillWanted(index) else { return }
            do throws(CheckpointError) {
                try body(index)
            } catch {
                failure.record(error, at: index)
            }
        }
        if let error = failure.error { throw error }
    }
}
