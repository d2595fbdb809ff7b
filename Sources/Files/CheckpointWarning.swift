/// Something worth saying about a checkpoint that does not keep it from being used.
public struct CheckpointWarning: Hashable, Sendable {
    /// The observation, in the form of the error it would be if it mattered more.
    public let finding: CheckpointError

    /// Makes a warning.
    public init(_ finding: CheckpointError) {
        self.finding = finding
    }
}

extension CheckpointWarning: CustomStringConvertible {
    /// One line, as an error would print it.
    public var description: String { finding.description }
}
