internal import CheckpointIO
internal import SIMDKernels

/// The environment variables that matter.
enum Environment {
    /// Checks them, before anything depends on them.
    ///
    /// - Throws: `host.kernel` if `QUANT_KERNEL` names kernels that this machine cannot run.
    static func check() throws(CheckpointError) {
        do {
            try KernelSelection.validateEnvironment()
        } catch {
            throw CheckpointError(
                .hostKernel,
                "\(error.variable) asks for kernels that this processor cannot run",
                expected: error.supported.joined(separator: ", "),
                found: error.requested,
                hint: "unset \(error.variable) to take the best"
            )
        }
    }
}
