internal import CheckpointIO

// What only the tool meets.
extension CheckpointError.Code {
    /// Interrupted before there was anything to continue.
    static let outputInterrupted = Self("output.interrupted", .interrupted)
    /// A kernel was asked for that this processor cannot run, or that there is not.
    static let hostKernel = Self("host.kernel", .unsupported)
    /// A text is not UTF-8.
    static let textEncoding = Self("text.encoding")
}
