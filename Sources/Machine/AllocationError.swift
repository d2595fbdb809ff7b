/// Memory that was asked for and not given.
///
/// A condition of the machine, not a bug: readers and writers turn it into their own error.
public enum AllocationError: Error, Hashable, Sendable {
    /// The budget has not that much left.
    case overBudget(requestedByteCount: Int, inUseByteCount: Int, limitByteCount: Int)
    /// The system refused.
    case refused(requestedByteCount: Int)
}

extension AllocationError: CustomStringConvertible {
    /// One sentence with the sizes in bytes.
    public var description: String {
        switch self {
        case .overBudget(let requested, let inUse, let limit):
            "\(requested) bytes more than the \(inUse) in use exceed the memory limit of \(limit)"
        case .refused(let requested):
            "the system has no \(requested) bytes of memory left"
        }
    }
}
