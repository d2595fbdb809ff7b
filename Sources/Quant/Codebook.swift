package import SIMDKernels

/// The values of the codes of a format: the only place in the package where they stand.
public struct Codebook: Sendable, Hashable {
    /// The value of each code; 16 or 256.
    public let values: [Float]

    init(values: [Float]) {
        self.values = values
    }
}

extension Codebook {
    /// NF4: normalized quantiles of the normal distribution, ascending; zero is code 7.
    ///
    /// QLoRA, Dettmers et al. 2023, appendix E.
    public static let nf4 = Codebook(values: nf4Bits.map(Float.init(bitPattern:)))

    /// FP4 as bitsandbytes defines it: sign, exponent and fraction of 1, 2 and 1 bits, divided by
    /// 12, in the order of the bits; 0 and 8 are both zero.
    ///
    /// Both zeros are +0, as the files have it.
    public static let fp4 = Codebook(
        values: fp4MagnitudeBits.map(Float.init(bitPattern:))
            + fp4MagnitudeBits.map { $0 == 0 ? 0 : -Float(bitPattern: $0) }
    )

    private static let nf4Bits: [UInt32] = [
        0xBF80_0000, 0xBF32_39B1, 0xBF06_6B30, 0xBECA_32A0, 0xBE91_A24D, 0xBE3D_353F, 0xBDBA_7871,
        0x0000_0000, 0x3DA2_FAFF, 0x3E24_CAE3, 0x3E7C_04DD, 0x3EAD_033A, 0x3EE1_A4B8, 0x3F10_07AB,
        0x3F39_13B3, 0x3F80_0000,
    ]

    private static let fp4MagnitudeBits: [UInt32] = [
        0x0000_0000, 0x3BAA_AAAB, 0x3F2A_AAAB, 0x3F80_0000, 0x3EAA_AAAB, 0x3F00_0000, 0x3E2A_AAAB,
        0x3E80_0000,
    ]
}

extension Codebook {
    /// The form in which the kernels of 4-bit formats want NF4: a code is the number of midpoints
    /// strictly below the scaled element.
    package static let nf4Kernel = Codebook4Bit(
        values: nf4.values,
        thresholds: nf4.midpoints,
        codeOfRank: Array(0..<16),
        rule: .ascending
    )

    /// The form in which the kernels of 4-bit formats want FP4: sign and magnitude apart, with the
    /// thresholds of bitsandbytes' GPU kernel, which a tie does not exceed.
    package static let fp4Kernel = Codebook4Bit(
        values: fp4.values,
        thresholds: fp4ThresholdBits.map(Float.init(bitPattern:)),
        codeOfRank: [0, 1, 6, 7, 4, 5, 2, 3],
        rule: .signAndMagnitude
    )

    private static let fp4ThresholdBits: [UInt32] = [
        0x3B2A_AAB9, 0x3DB0_0000, 0x3E55_5555, 0x3E95_5555, 0x3ED5_5556, 0x3F15_5550, 0x3F55_5555,
    ]

    /// `fl(fl(c[i] + c[i + 1]) · 0.5)` of neighbouring values.
    package var midpoints: [Float] {
        zip(values, values.dropFirst()).map { ($0 + $1) * 0.5 }
    }
}
