internal import CSystem
internal import Synchronization

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
    /// Runs stages as one job, which starts and ends once.
    ///
    /// A stage begins when all pieces of that before are done. Its pieces are those of several jobs, those
    /// of the first job first. For short stages: whoever waits for another thread's piece does not sleep.
    package func perform(stages: [[JobPieces]]) {
        let ends = stages.reduce(into: []) { ends, jobs in
            ends.append((ends.last ?? 0) + jobs.reduce(0) { $0 + $1.count })
        }
        let doneCount = Atomic(0)
        perform(ends.last ?? 0) { index, worker in
            let stage = ends.firstIndex { index < $0 } ?? 0
            let start = stage == 0 ? 0 : ends[stage - 1]
            // Pieces start in ascending order: those that are missing are under way.
            var turn: Int32 = 0
            while doneCount.load(ordering: .acquiring) < start {
                cs_relax(turn)
                turn &+= 1
            }
            var piece = index - start
            for job in stages[stage] {
                if piece < job.count {
                    job.run(piece, worker)
                    break
                }
                piece -= job.count
            }
            doneCount.add(1, ordering: .releasing)
        }
    }
}
