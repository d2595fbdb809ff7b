internal import CSIMDKernels

/// The instruction sets of the host that kernels can use.
public struct HostFeatures: OptionSet, Hashable, Sendable, CustomStringConvertible {
    /// The bits as `qk_features.h` numbers them.
    public let rawValue: UInt32

    /// Makes a set of features.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// AVX, AVX2, FMA, F16C, BMI1, BMI2 and POPCNT.
    public static let avx2 = HostFeatures(rawValue: UInt32(QK_FEATURE_AVX2))
    /// AVX-512 F, BW, DQ, VL and CD.
    public static let avx512 = HostFeatures(rawValue: UInt32(QK_FEATURE_AVX512))
    /// AVX-512 VBMI.
    public static let avx512VBMI = HostFeatures(rawValue: UInt32(QK_FEATURE_AVX512VBMI))
    /// AVX-512 VNNI.
    public static let avx512VNNI = HostFeatures(rawValue: UInt32(QK_FEATURE_AVX512VNNI))
    /// AVX-512 BF16.
    public static let avx512BF16 = HostFeatures(rawValue: UInt32(QK_FEATURE_AVX512BF16))
    /// Advanced SIMD of AArch64.
    public static let neon = HostFeatures(rawValue: UInt32(QK_FEATURE_NEON))
    /// Dot products of bytes (FEAT_DotProd).
    public static let neonDotProducts = HostFeatures(rawValue: UInt32(QK_FEATURE_NEON_DOTPROD))

    /// The features that a set of `KernelSelection` stands for; none for a name that is not known.
    static func base(of instructionSet: String) -> HostFeatures {
        switch instructionSet {
        case "avx512": [.avx2, .avx512]
        case "avx2": .avx2
        case "neon": .neon
        default: []
        }
    }

    /// The features of this processor whose registers the operating system saves.
    public static let host = HostFeatures(rawValue: qk_host_features())

    /// The names of the features in the set, separated by spaces; `none` for the empty set.
    public var description: String {
        let names: [(HostFeatures, String)] = [
            (.avx2, "avx2"), (.avx512, "avx512"), (.avx512VBMI, "avx512-vbmi"),
            (.avx512VNNI, "avx512-vnni"), (.avx512BF16, "avx512-bf16"), (.neon, "neon"),
            (.neonDotProducts, "neon-dotprod"),
        ]
        let present = names.filter { contains($0.0) }.map(\.1)
        return present.isEmpty ? "none" : present.joined(separator: " ")
    }
}
