internal import CSIMDKernels

/// The instruction sets of the host that kernels can use.
public struct HostFeatures: OptionSet, Sendable {
    /// The bits as `qk_features.h` numbers them.
    public let rawValue: UInt32

    /// Makes a set of features.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The features of this processor that the operating system supports.
    public static let host = HostFeatures(rawValue: qk_host_features())
}
