internal import Synchronization

/// How much memory the large buffers of a run may take together.
///
/// Everything above 1 MiB is counted here, so that a limit is an error with a name and not the
/// end of the process. Shared by all threads of a run.
public final class MemoryBudget: Sendable {
    /// The most bytes that may be in use at once.
    public let limitByteCount: Int
    private let usage = Mutex(Usage())

    private struct Usage {
        var inUse = 0
        var peak = 0
    }

    /// Makes a budget.
    /// - Parameter limitByteCount: at least 0; `nil` takes what this machine allows, see
    ///   `HostMemory.defaultLimitByteCount`.
    public init(limitByteCount: Int? = nil) {
        let limit = limitByteCount ?? HostMemory.defaultLimitByteCount
        precondition(limit >= 0, "a memory limit of \(limit) bytes")
        self.limitByteCount = limit
    }

    /// The bytes reserved now.
    public var inUseByteCount: Int { usage.withLock { $0.inUse } }

    /// The most bytes that were ever reserved at once.
    public var peakByteCount: Int { usage.withLock { $0.peak } }

    /// The bytes not reserved now; what somebody may take if nobody else does.
    public var availableByteCount: Int { limitByteCount - inUseByteCount }

    /// Counts bytes that are about to be allocated.
    /// - Throws: `AllocationError.overBudget` if they exceed the limit; nothing is counted then.
    public func reserve(_ byteCount: Int) throws(AllocationError) {
        precondition(byteCount >= 0, "reserving \(byteCount) bytes")
        let inUse = usage.withLock { usage -> Int? in
            guard byteCount <= limitByteCount - usage.inUse else { return usage.inUse }
            usage.inUse += byteCount
            usage.peak = max(usage.peak, usage.inUse)
            return nil
        }
        if let inUse {
            throw .overBudget(
                requestedByteCount: byteCount,
                inUseByteCount: inUse,
                limitByteCount: limitByteCount
            )
        }
    }

    /// Gives back what `reserve` counted.
    public func release(_ byteCount: Int) {
        usage.withLock { usage in
            precondition(
                0...usage.inUse ~= byteCount,
                "releasing \(byteCount) of \(usage.inUse) bytes"
            )
            usage.inUse -= byteCount
        }
    }
}
