import TestSupport
import Testing

@testable import Machine

@Suite struct AlignedBufferTests {
    @Test(arguments: [0, 1, 63, 64, 65, 1_000_003])
    func isZeroedAlignedAndAsLongAsAsked(_ byteCount: Int) throws {
        var buffer = try AlignedBuffer(byteCount: byteCount)
        #expect(buffer.byteCount == byteCount)
        buffer.withBytes { bytes in
            #expect(bytes.byteCount == byteCount)
            bytes.withUnsafeBytes { raw in
                #expect(UInt(bitPattern: raw.baseAddress) % 64 == 0)
                #expect(raw.allSatisfy { $0 == 0 })
            }
        }
        buffer.withMutableBytes { bytes in
            for index in 0..<bytes.byteCount {
                bytes.storeBytes(
                    of: UInt8(truncatingIfNeeded: index),
                    toByteOffset: index,
                    as: UInt8.self
                )
            }
        }
        buffer.withBytes { bytes in
            bytes.withUnsafeBytes { raw in
                #expect(raw.indices.allSatisfy { raw[$0] == UInt8(truncatingIfNeeded: $0) })
            }
        }
        let prefix = buffer.withMutablePrefix(byteCount / 2) { $0.byteCount }
        #expect(prefix == byteCount / 2)
    }

    @Test func countsAgainstTheBudgetWhileItLives() throws {
        let budget = MemoryBudget(limitByteCount: 100)
        do {
            let first = try AlignedBuffer(byteCount: 60, budget: budget)
            #expect(budget.inUseByteCount == 60)
            let error = #expect(throws: AllocationError.self) {
                _ = try AlignedBuffer(byteCount: 41, budget: budget)
            }
            #expect(
                error
                    == .overBudget(
                        requestedByteCount: 41,
                        inUseByteCount: 60,
                        limitByteCount: 100
                    )
            )
            let second = try AlignedBuffer(byteCount: 40, budget: budget)
            #expect(budget.availableByteCount == 0)
            _ = (first.byteCount, second.byteCount)
        }
        #expect(budget.inUseByteCount == 0)
        #expect(budget.peakByteCount == 100)
    }

    @Test func throwsWhenTheSystemHasNoMemory() throws {
        // More than any address space: the system must refuse, and the budget forget it.
        let budget = MemoryBudget(limitByteCount: Int.max)
        let error = #expect(throws: AllocationError.self) {
            _ = try AlignedBuffer(byteCount: Int.max - 4096, budget: budget)
        }
        #expect(error == .refused(requestedByteCount: Int.max - 4096))
        #expect(budget.inUseByteCount == 0)
    }
}

@Suite struct MemoryBudgetTests {
    @Test func hasALimitFromTheMachine() {
        let limit = HostMemory.defaultLimitByteCount
        #expect(limit > 0)
        #expect(limit <= HostMemory.physicalByteCount / 2)
        #expect(MemoryBudget().limitByteCount == limit)
    }

    @Test func doesNotOverflowOnHugeRequests() {
        let budget = MemoryBudget(limitByteCount: Int.max)
        #expect(throws: Never.self) { try budget.reserve(Int.max) }
        #expect(throws: AllocationError.self) { try budget.reserve(1) }
        budget.release(Int.max)
        #expect(budget.inUseByteCount == 0)
    }

    @Test func refusesToReleaseWhatWasNotReserved() async {
        await #expect(processExitsWith: .failure) {
            MemoryBudget(limitByteCount: 10).release(1)
        }
    }
}
