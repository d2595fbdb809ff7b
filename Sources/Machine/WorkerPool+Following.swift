internal import CSystem
internal import Synchronization

extension WorkerPool {
    /// Runs two jobs as one, which starts and ends once; pieces of the second may wait for the first.
    ///
    /// For short jobs: a piece that waits does not sleep.
    /// - Parameters:
    ///   - neededCount: the pieces of the first job, which begin before all others.
    ///   - needed: computes one of them.
    ///   - followingCount: the pieces of the second job.
    ///   - following: computes one of them; what it receives returns when the first job is done.
    package func perform(
        _ neededCount: Int,
        _ needed: @Sendable (_ piece: Int) -> Void,
        then followingCount: Int,
        _ following: @Sendable (_ piece: Int, _ wait: () -> Void) -> Void
    ) {
        let doneCount = Atomic(0)
        perform(neededCount + followingCount) { index, _ in
            guard index >= neededCount else {
                needed(index)
                doneCount.add(1, ordering: .releasing)
                return
            }
            following(index - neededCount) {
                // Pieces begin in ascending order: those that are missing are under way.
                var turn: Int32 = 0
                while doneCount.load(ordering: .acquiring) < neededCount {
                    cs_relax(turn)
                    turn &+= 1
                }
            }
        }
    }
}
