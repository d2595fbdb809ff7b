internal import CSystem
internal import Synchronization

/// A job cut into pieces that may run at the same time, in any order.
package struct JobPieces: Sendable {
    /// How many there are.
    package let count: Int
    /// Computes a piece.
    package let run: @Sendable (_ piece: Int) -> Void

    /// Describes a job.
    package init(_ count: Int, _ run: @escaping @Sendable (_ piece: Int) -> Void) {
        self.count = count
        self.run = run
    }
}

/// A job whose pieces need what other jobs make, but not from their beginning on.
package struct FollowingPieces: Sendable {
    /// How many there are.
    package let count: Int
    /// Computes a piece; `wait` returns when the other jobs are done.
    package let run: @Sendable (_ piece: Int, _ wait: () -> Void) -> Void

    /// Describes a job.
    package init(
        _ count: Int,
        _ run: @escaping @Sendable (_ piece: Int, _ wait: () -> Void) -> Void
    ) {
        self.count = count
        self.run = run
    }
}

extension WorkerPool {
    /// Runs jobs as one, which starts and ends once.
    ///
    /// For short jobs: a piece that waits for one on another thread does not sleep.
    /// - Parameters:
    ///   - jobs: their pieces begin first, those of the first job before all others.
    ///   - following: these begin when all of those have begun.
    package func perform(_ jobs: [JobPieces], then following: [FollowingPieces]) {
        let neededCount = jobs.reduce(0) { $0 + $1.count }
        let doneCount = Atomic(0)
        perform(following.reduce(neededCount) { $0 + $1.count }) { index, _ in
            var piece = index
            for job in jobs {
                if piece < job.count {
                    job.run(piece)
                    doneCount.add(1, ordering: .releasing)
                    return
                }
                piece -= job.count
            }
            for job in following {
                if piece < job.count {
                    job.run(piece) {
                        // Pieces start in ascending order: those that are missing are under way.
                        var turn: Int32 = 0
                        while doneCount.load(ordering: .acquiring) < neededCount {
                            cs_relax(turn)
                            turn &+= 1
                        }
                    }
                    return
                }
                piece -= job.count
            }
        }
    }
}
