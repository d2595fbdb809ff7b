internal import SIMDKernels

/// What this program is.
enum Version {
    /// The number of the release.
    static let number = "0.1.0"

    /// What `--version` prints: the number, and the kernels in use.
    static var text: String {
        let others = KernelSelection.supportedNames.joined(separator: ", ")
        return "quantize \(number)\nkernels: \(kernels) (this processor can run \(others))"
    }

    /// The set of kernels in use; where the environment asks for an impossible one, that is said.
    private static var kernels: String {
        do {
            try KernelSelection.validateEnvironment()
            return KernelSelection.name
        } catch {
            return "none"
        }
    }
}
