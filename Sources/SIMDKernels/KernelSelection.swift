#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// The set of kernel variants that the process uses, one name for all families.
///
/// Families have variants for each name (`avx2` and `avx512` on x86-64, `neon` on AArch64, `generic`
/// everywhere), and all variants of a family give the same bits, but for products in bfloat16, which
/// agree within the bound of their sums. The best set the host
/// can run is used, in each family the variant that was measured fastest, unless the environment
/// variable `QUANT_KERNEL` names another set.
/// `QUANTIZE_CPU` is a second spelling of the variable, and `scalar` of the name `generic`; if both
/// variables are set, `QUANT_KERNEL` counts. An empty value counts as unset. The environment is
/// read once, on first use.
public enum KernelSelection {
    /// The names this host can run, best first; `generic` is always the last.
    public static let supportedNames: [String] = {
        let known: [(HostFeatures, String)] = [
            (.avx512, "avx512"), (.avx2, "avx2"), (.neon, "neon"),
        ]
        return known.filter { HostFeatures.host.contains($0.0) }.map(\.1) + ["generic"]
    }()

    /// The name in use: the forced one, or the best supported.
    ///
    /// Stops the process, with the list of supported names, if the environment forces a name that
    /// the host cannot run. A program that wants to report this itself calls
    /// `validateEnvironment()` first.
    public static let name: String = forcedName ?? supportedNames[0]

    /// The name that the environment forces; nil if it forces none.
    ///
    /// Without one each family uses the variant that was measured fastest, whatever its set.
    static let forcedName: String? = {
        switch resolved {
        case .success(let name): return name
        case .failure(let error):
            // Optimized programs leave out the text of a failed precondition.
            var line = error.description + "\n"
            _ = line.withUTF8 { unsafe write(2, $0.baseAddress, $0.count) }
            preconditionFailure(error.description)
        }
    }()

    /// Checks that the host can run the set of kernels that the environment asks for.
    ///
    /// - Throws: `KernelSelectionError` if it cannot.
    public static func validateEnvironment() throws(KernelSelectionError) {
        _ = try resolved.get()
    }

    private static let resolved = Result { () throws(KernelSelectionError) in
        try resolve(environment: environmentVariable)
    }

    /// Returns the name that an environment forces; nil if it forces none.
    ///
    /// - Throws: `KernelSelectionError` if the host cannot run it.
    package static func resolve(
        environment: (String) -> String?
    ) throws(KernelSelectionError) -> String? {
        for variable in ["QUANT_KERNEL", "QUANTIZE_CPU"] {
            guard let value = environment(variable), !value.isEmpty else { continue }
            let name = value == "scalar" ? "generic" : value
            guard supportedNames.contains(name) else {
                throw KernelSelectionError(
                    variable: variable,
                    requested: value,
                    supported: supportedNames
                )
            }
            return name
        }
        return nil
    }

    private static func environmentVariable(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}

/// The environment asks for a set of kernels that the host cannot run.
public struct KernelSelectionError: Error, Equatable, CustomStringConvertible {
    /// The environment variable that asks.
    public let variable: String
    /// The name it asks for.
    public let requested: String
    /// The names the host can run, best first.
    public let supported: [String]

    /// One line with the variable, the requested name and the supported ones.
    public var description: String {
        "\(variable)=\(requested): this processor cannot run these kernels; "
            + "supported here: \(supported.joined(separator: ", "))"
    }
}
