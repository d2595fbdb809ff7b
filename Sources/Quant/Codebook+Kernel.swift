package import SIMDKernels

extension QuantizationFormat {
    /// The code table as the kernels of 4-bit formats want it; nil for 8-bit formats.
    package var kernelCodebook: Codebook4Bit? {
        switch self {
        case .nf4: Codebook.nf4Kernel
        case .fp4: Codebook.fp4Kernel
        case .int8Vectorwise, .int8Blockwise: nil
        }
    }
}

extension Codebook {
    /// The form in which the kernels of 8-bit blocks want the signed dynamic map.
    package static let dynamicSignedKernel = Codebook8Bit(values: dynamicSigned.values)
}
