import Foundation
import Machine
import Synchronization
import Testing

private struct RowError: Error, Equatable {
    let index: Int
}

@Suite struct WorkerPoolTests {
    static let threadCounts = [1, 2, 3, 7, 16]

    @Test(arguments: threadCounts) func runsEachIndexOnce(threadCount: Int) {
        let workers = WorkerPool(threadCount: threadCount)
        for count in [0, 1, 2, 6, 7, 8, 1000] {
            let counts = Mutex([Int](repeating: 0, count: count))
            workers.perform(count) { index, _ in counts.withLock { $0[index] += 1 } }
            #expect(counts.withLock { $0 } == [Int](repeating: 1, count: count))
        }
    }

    @Test(arguments: threadCounts) func neverOverlapsTwoCallsOfOneWorker(threadCount: Int) {
        let workers = WorkerPool(threadCount: threadCount)
        let state = Mutex((busy: Set<Int>(), faults: 0))
        workers.perform(500) { index, worker in
            state.withLock { state in
                let isFree = state.busy.insert(worker).inserted
                if !isFree || !(0..<threadCount).contains(worker) { state.faults += 1 }
            }
            // Long enough that calls on other threads begin meanwhile.
            var sum = 0
            for term in 0..<2000 { sum &+= term &* index }
            state.withLock { state in
                if sum != .min { state.busy.remove(worker) }
            }
        }
        #expect(state.withLock { $0.faults } == 0)
    }

    @Test(arguments: threadCounts) func followingPiecesCanWaitForTheOthers(threadCount: Int) {
        let workers = WorkerPool(threadCount: threadCount)
        let state = Mutex((needed: 0, following: 0, faults: 0))
        func perform(_ neededCount: Int, _ followingCount: Int) {
            workers.perform(
                neededCount,
                { piece in
                    var sum = 0
                    for term in 0..<5000 { sum &+= term &* piece }
                    state.withLock { state in
                        state.needed += 1
                        if piece >= neededCount || sum == .min { state.faults += 1 }
                    }
                },
                then: followingCount,
                { piece, wait in
                    wait()
                    state.withLock { state in
                        state.following += 1
                        let isEarly = state.needed < neededCount
                        if isEarly || piece >= followingCount { state.faults += 1 }
                    }
                }
            )
        }
        perform(7, 25)
        #expect(state.withLock { $0 } == (7, 25, 0))
        perform(0, 3)
        perform(2, 0)
        perform(0, 0)
        #expect(state.withLock { $0 } == (9, 28, 0))
    }

    @Test(arguments: threadCounts) func throwsTheErrorOfTheLowestIndex(threadCount: Int) {
        let workers = WorkerPool(threadCount: threadCount)
        for failing in [[0], [5, 6, 7, 8, 9], [99], [42, 43, 98]] {
            for _ in 0..<20 {
                #expect(throws: RowError(index: failing[0])) {
                    try workers.perform(100) { index, _ throws(RowError) in
                        // The higher ones fail at once, the lowest late.
                        guard failing.contains(index) else { return }
                        if index == failing[0] { for _ in 0..<2000 { _ = Mutex(0) } }
                        throw RowError(index: index)
                    }
                }
            }
        }
    }

    @Test(arguments: threadCounts) func startsNothingAfterAnError(threadCount: Int) {
        let workers = WorkerPool(threadCount: threadCount)
        let started = Mutex(0)
        #expect(throws: RowError.self) {
            try workers.perform(1_000_000) { index, _ throws(RowError) in
                started.withLock { $0 += 1 }
                throw RowError(index: index)
            }
        }
        #expect(started.withLock { $0 } <= threadCount)
    }

    @Test(arguments: threadCounts) func handsOutDisjointTilesThatCoverTheOutput(threadCount: Int) {
        let workers = WorkerPool(threadCount: threadCount)
        for (count, stride) in [(0, 3), (1, 3), (3, 3), (4, 3), (1000, 7), (1000, 1000)] {
            var bytes = [UInt8](repeating: 0, count: count)
            bytes.withUnsafeMutableBytes { buffer in
                var output = buffer.mutableBytes
                workers.perform(writing: &output, every: stride) { index, _, tile in
                    #expect(tile.byteCount == min(stride, count - index * stride))
                    tile.withUnsafeMutableBytes { tile in
                        for place in tile.indices { tile[place] &+= UInt8(index % 200) + 1 }
                    }
                }
            }
            #expect(bytes == (0..<count).map { UInt8($0 / stride % 200) + 1 })
        }
    }

    @Test(arguments: threadCounts) func cutsTwoOutputsTogether(threadCount: Int) {
        let workers = WorkerPool(threadCount: threadCount)
        var bytes = [UInt8](repeating: 0, count: 95)
        var scales = [Float](repeating: 0, count: 29)
        bytes.withUnsafeMutableBytes { buffer in
            scales.withUnsafeMutableBufferPointer { scaleBuffer in
                var output = buffer.mutableBytes
                var second = scaleBuffer.mutableSpan
                workers.perform(writing: &output, every: 10, and: &second, every: 3) {
                    index,
                    _,
                    tile,
                    scales in
                    tile.withUnsafeMutableBytes { tile in
                        for place in tile.indices { tile[place] = UInt8(index) }
                    }
                    for place in scales.indices { scales[place] = Float(index) }
                }
            }
        }
        #expect(bytes == (0..<95).map { UInt8($0 / 10) })
        #expect(scales == (0..<29).map { Float($0 / 3) })
    }

    @Test(arguments: threadCounts) func mapsInOrder(threadCount: Int) {
        let workers = WorkerPool(threadCount: threadCount)
        #expect(workers.map(1000) { index, _ in index * index } == (0..<1000).map { $0 * $0 })
        #expect(throws: RowError(index: 3)) {
            _ = try workers.map(10) { index, _ throws(RowError) -> Int in
                guard index < 3 else { throw RowError(index: index) }
                return index
            }
        }
    }

    /// A job inside a job, on the same pool, finds it busy and runs where it is.
    @Test(arguments: threadCounts) func runsNestedJobs(threadCount: Int) {
        let workers = WorkerPool(threadCount: threadCount)
        let sum = Mutex(0)
        workers.perform(20) { outer, _ in
            workers.perform(30) { inner, worker in
                if workers.threadCount > 1 { #expect(worker == 0) }
                sum.withLock { $0 += outer * inner }
            }
        }
        #expect(sum.withLock { $0 } == 190 * 435)
    }

    @Test func servesManyThreadsAtOnce() {
        let workers = WorkerPool(threadCount: 3)
        let sum = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<200 {
                workers.perform(7) { index, _ in sum.withLock { $0 += index } }
            }
        }
        #expect(sum.withLock { $0 } == 8 * 200 * 21)
    }

    /// Longer pauses than the workers spin: they have to be woken.
    @Test(arguments: [2, 7]) func wakesSleepingWorkers(threadCount: Int) {
        let workers = WorkerPool(threadCount: threadCount)
        for _ in 0..<20 {
            usleep(2000)
            let calls = Mutex(Set<Int>())
            let barrier = Atomic(0)
            workers.perform(threadCount) { _, worker in
                calls.withLock { _ = $0.insert(worker) }
                // All workers at once, or this never ends.
                barrier.wrappingAdd(1, ordering: .relaxed)
                while barrier.load(ordering: .relaxed) < threadCount { usleep(10) }
            }
            #expect(calls.withLock { $0.count } == threadCount)
        }
    }

    @Test func sharesOnePoolForEachWidth() {
        #expect(WorkerPool.shared(threadCount: 2) === WorkerPool.shared(threadCount: 2))
        #expect(WorkerPool.shared(threadCount: 2) !== WorkerPool.shared(threadCount: 3))
        #expect(WorkerPool.shared().threadCount == AvailableCores.count)
    }

    #if os(Linux)
    /// The child of a fork has no threads but its own, and needs new ones.
    @Test func worksInAForkedChild() {
        let workers = WorkerPool(threadCount: 3)
        func sum() -> Int {
            let sum = Atomic(0)
            workers.perform(100) { index, _ in sum.wrappingAdd(index, ordering: .relaxed) }
            return sum.load(ordering: .relaxed)
        }
        #expect(sum() == 4950)
        let child = forkProcess()
        if child == 0 { _exit(sum() == 4950 && sum() == 4950 ? 0 : 1) }
        var status: Int32 = -1
        #expect(waitpid(child, &status, 0) == child)
        #expect(status == 0)
        #expect(sum() == 4950)
    }

    /// `fork`, which Swift's overlay hides.
    private func forkProcess() -> pid_t {
        typealias Fork = @convention(c) () -> pid_t
        guard let symbol = dlsym(nil, "fork") else { return -1 }
        return unsafeBitCast(symbol, to: Fork.self)()
    }
    #endif

    /// What a signal does is for the thread that the program made.
    @Test func workersBlockSignals() {
        let workers = WorkerPool(threadCount: 2)
        let blocked = Mutex([Bool]())
        let barrier = Atomic(0)
        workers.perform(2) { _, worker in
            barrier.wrappingAdd(1, ordering: .relaxed)
            while barrier.load(ordering: .relaxed) < 2 { usleep(10) }
            guard worker == 1 else { return }
            var mask = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &mask)
            blocked.withLock { $0.append(sigismember(&mask, SIGTERM) == 1) }
        }
        #expect(blocked.withLock { $0 } == [true])
    }

    @Test func stopsOnNoThreads() async {
        await #expect(processExitsWith: .failure) { _ = WorkerPool(threadCount: 0) }
    }
}
