/// A job cut into pieces that may run at the same time, in any order.
package struct JobPieces: Sendable {
    /// How many there are.
    package let count: Int
    /// Computes a piece, on the worker whose number it receives.
    package let run: @Sendable (_ piece: Int, _ worker: Int) -> Void

    /// Describes a job.
    package init(_ count: Int, _ run: @escaping @Sendable (_ piece: Int, _ worker: Int) -> Void) {
        self.count = count
        self.run = run
    }
}

extension WorkerPool {
    /// Runs the pieces of several jobs as one, which starts and ends once: those of the first job first.
    package func perform(_ jobs: [JobPieces]) {
        perform(jobs.reduce(0) { $0 + $1.count }) { index, worker in
            var piece = index
            for job in jobs {
                guard piece >= job.count else { return job.run(piece, worker) }
                piece -= job.count
            }
        }
    }
}
