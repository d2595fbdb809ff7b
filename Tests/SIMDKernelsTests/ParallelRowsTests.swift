import SIMDKernels
import Synchronization
import Testing

private struct RowError: Error, Equatable {
    let index: Int
}

@Suite struct ParallelRowsTests {
    static let threadCounts = [1, 2, 3, 7, 16]

    @Test(arguments: threadCounts) func runsEachIndexOnce(threadCount: Int) {
        let rows = ParallelRows(threadCount: threadCount)
        for count in [0, 1, 2, 6, 7, 8, 1000] {
            let counts = Mutex([Int](repeating: 0, count: count))
            rows.perform(count) { index, _ in counts.withLock { $0[index] += 1 } }
            #expect(counts.withLock { $0 } == [Int](repeating: 1, count: count))
        }
    }

    @Test(arguments: threadCounts) func neverOverlapsTwoCallsOfOneWorker(threadCount: Int) {
        let rows = ParallelRows(threadCount: threadCount)
        let state = Mutex((busy: Set<Int>(), faults: 0))
        rows.perform(500) { index, worker in
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

    @Test(arguments: threadCounts) func throwsTheErrorOfTheLowestIndex(threadCount: Int) {
        let rows = ParallelRows(threadCount: threadCount)
        for failing in [[0], [5, 6, 7, 8, 9], [99], [42, 43, 98]] {
            for _ in 0..<20 {
                #expect(throws: RowError(index: failing[0])) {
                    try rows.perform(100) { index, _ throws(RowError) in
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
        let rows = ParallelRows(threadCount: threadCount)
        let started = Mutex(0)
        #expect(throws: RowError.self) {
            try rows.perform(1_000_000) { index, _ throws(RowError) in
                started.withLock { $0 += 1 }
                throw RowError(index: index)
            }
        }
        #expect(started.withLock { $0 } <= threadCount)
    }

    @Test(arguments: threadCounts) func handsOutDisjointTilesThatCoverTheOutput(threadCount: Int) {
        let rows = ParallelRows(threadCount: threadCount)
        for (count, stride) in [(0, 3), (1, 3), (3, 3), (4, 3), (1000, 7), (1000, 1000)] {
            var bytes = [UInt8](repeating: 0, count: count)
            bytes.withUnsafeMutableBytes { buffer in
                var output = buffer.mutableBytes
                rows.perform(writing: &output, every: stride) { index, _, tile in
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
        let rows = ParallelRows(threadCount: threadCount)
        var bytes = [UInt8](repeating: 0, count: 95)
        var scales = [Float](repeating: 0, count: 29)
        bytes.withUnsafeMutableBytes { buffer in
            scales.withUnsafeMutableBufferPointer { scaleBuffer in
                var output = buffer.mutableBytes
                var second = scaleBuffer.mutableSpan
                rows.perform(writing: &output, every: 10, and: &second, every: 3) {
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
        let rows = ParallelRows(threadCount: threadCount)
        #expect(rows.map(1000) { index, _ in index * index } == (0..<1000).map { $0 * $0 })
        #expect(throws: RowError(index: 3)) {
            _ = try rows.map(10) { index, _ throws(RowError) -> Int in
                guard index < 3 else { throw RowError(index: index) }
                return index
            }
        }
    }

    @Test func givesTheSameBitsForEveryThreadCount() {
        let codebook = TestCodebook.ascending.codebook
        let count = 64 * 1000 + 17
        let input = KernelInput(
            count: count,
            blockSize: 64,
            as: .bfloat16,
            thresholds: codebook.thresholds,
            seed: 11
        )
        var results: [[UInt8]] = []
        for threadCount in Self.threadCounts {
            var codes = [UInt8](repeating: 0, count: (count + 1) / 2)
            var absmax = [Float](repeating: 0, count: 1001)
            input.bytes.withUnsafeBytes { input in
                codes.withUnsafeMutableBytes { codes in
                    absmax.withUnsafeMutableBufferPointer { absmax in
                        let elements = input.bytes
                        var codeSpan = codes.mutableBytes
                        var absmaxSpan = absmax.mutableSpan
                        ParallelRows(threadCount: threadCount).perform(
                            writing: &codeSpan,
                            every: 32 * 10,
                            and: &absmaxSpan,
                            every: 10
                        ) { index, _, codes, absmax in
                            let start = index * 1280
                            let end = min(start + 1280, elements.byteCount)
                            Quantize4BitKernel.selected.quantize(
                                elements.extracting(start..<end),
                                as: .bfloat16,
                                blockSize: 64,
                                codebook: codebook,
                                codes: &codes,
                                absmax: &absmax
                            )
                        }
                    }
                }
            }
            results.append(codes + ReferenceFloat.bytes(of: absmax, as: .float32))
        }
        #expect(Set(results).count == 1)
        let expected = Reference4Bit.quantize(input.elements, blockSize: 64, codebook: codebook)
        #expect(results[0].prefix(expected.codes.count) == expected.codes[...])
    }

    @Test func stopsOnNoThreads() async {
        await #expect(processExitsWith: .failure) { _ = ParallelRows(threadCount: 0) }
    }
}
