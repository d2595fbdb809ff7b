extension CheckpointError {
    /// The stable name of something that can be wrong, such as `st.sizeMismatch`, and its kind.
    ///
    /// Each domain names its own in an extension, in a file beside what throws them:
    /// `CheckpointError+GGUF.swift` those of GGUF files, and so on. A minor release may add some.
    public struct Code: Hashable, Sendable {
        /// The name, which never changes: domain, dot, defect.
        public let rawValue: String
        /// The kind of failure.
        public let category: Category

        /// Names a defect; its name belongs to no other.
        package init(_ rawValue: String, _ category: Category = .badData) {
            self.rawValue = rawValue
            self.category = category
        }
    }

    /// The kinds of failure that a caller may want to treat differently.
    public enum Category: Sendable, CaseIterable {
        /// The input is malformed or contradicts itself.
        case badData
        /// The input is not there, or not something that can be read.
        case missingInput
        /// The input is sound, but not something this library does.
        case unsupported
        /// The output is there already, or somebody else is writing it.
        case outputExists
        /// The system failed to read or write.
        case inputOutput
        /// Stopped before the end, with enough kept to go on.
        case stopped
        /// Interrupted before there was anything to keep.
        case interrupted
        /// The request itself contradicts itself.
        case usage
    }
}

extension CheckpointError.Code: CustomStringConvertible {
    /// The name.
    public var description: String { rawValue }
}
