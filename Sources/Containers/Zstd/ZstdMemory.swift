public import Machine
internal import Synchronization
internal import Tensors

/// What the packed files of one checkpoint share: a budget, and room for the frames of one file.
///
/// The shards of a model are read one after the other, so only the one that is read now keeps
/// unpacked frames; memory does not grow with the number of shards.
public final class ZstdMemory: Sendable {
    let budget: MemoryBudget?
    private let owners = Mutex(Owners())

    private struct Owners {
        var all: [WeakOwner] = []
        weak var active: (any ZstdMemoryOwner)?
    }

    private struct WeakOwner {
        weak var owner: (any ZstdMemoryOwner)?
    }

    /// Makes room for the files of one checkpoint.
    /// - Parameter budget: what buffers are counted against.
    public init(budget: MemoryBudget? = nil) {
        self.budget = budget
    }

    /// Adds a file's buffers.
    func register(_ owner: any ZstdMemoryOwner) {
        owners.withLock { $0.all.append(WeakOwner(owner: owner)) }
    }

    /// Lets everybody else go before somebody allocates.
    func activate(_ owner: any ZstdMemoryOwner) {
        owners.withLock { owners in
            guard owners.active !== owner else { return }
            owners.active = owner
            for other in owners.all where other.owner !== owner { other.owner?.release() }
        }
    }
}

/// Something that keeps unpacked bytes it could make again.
protocol ZstdMemoryOwner: AnyObject, Sendable {
    /// Frees what nobody is using now; never waits.
    func release()
}
