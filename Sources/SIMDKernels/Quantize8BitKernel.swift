internal import CSIMDKernels
package import Tensors

/// Turns blocks of elements into 8-bit codes of a map and one scale a block.
///
/// The blockwise quantization of Dettmers et al. 2021 ("8-bit Optimizers via Block-wise
/// Quantization", section 2.1). For each block of `blockSize` elements (the last may be short), with
/// `a` its largest magnitude, `v = fl(x · fl(1/a))`, or `fl(x / a)` where `fl(1/a)` is subnormal or
/// not finite, and the code is that of the map's value nearest to `v`. All codes of a block with a
/// zero, infinite or NaN `a` are 0, the first of the map, whatever its value.
@safe
package struct Quantize8BitKernel: Kernel {
    package let variant: KernelVariant
    // Immutable: a name and a function of the C table.
    private nonisolated(unsafe) let entry: qk_quantize_8bit_entry

    package static let compiled = unsafe compiledEntries(qk_quantize_8bit_entries) {
        unsafe Self(variant: KernelVariant($0.variant), entry: $0)
    }
    package static let selected = preferred()

    /// Quantizes with the largest magnitude of each block as its scale.
    ///
    /// The maximum is that of the bits without sign, so a block with a NaN or an infinity has one as
    /// its scale: the caller looks for these.
    /// - Parameters:
    ///   - input: elements; their number `n` follows from the size.
    ///   - element: the type of the elements.
    ///   - blockSize: elements per scale, positive.
    ///   - codebook: the map.
    ///   - codes: receives `n` bytes, its exact size.
    ///   - absmax: receives `ceil(n / blockSize)` scales, its exact size.
    package func quantize(
        _ input: RawSpan,
        as element: FloatDType,
        blockSize: Int,
        codebook: Codebook8Bit,
        codes: inout MutableRawSpan,
        absmax: inout MutableSpan<Float>
    ) {
        let count = element.count(in: input.byteCount)
        checkBlocks(count, blockSize, scaleCount: absmax.count, codeCount: codes.byteCount)
        unsafe codebook.withCCodebook { codebook in
            unsafe input.withUnsafeBytes { input in
                unsafe codes.withUnsafeMutableBytes { codes in
                    unsafe absmax.withUnsafeMutableBufferPointer { absmax in
                        unsafe entry.function(
                            input.baseAddress,
                            element.cType,
                            count,
                            blockSize,
                            codebook,
                            codes.baseAddress,
                            absmax.baseAddress
                        )
                    }
                }
            }
        }
    }
}

/// Stops the process if the sizes of 8-bit codes and their scales do not belong together.
func checkBlocks(_ count: Int, _ blockSize: Int, scaleCount: Int, codeCount: Int) {
    precondition(blockSize > 0, "block size \(blockSize) is not positive")
    let blockCount = count / blockSize + (count % blockSize == 0 ? 0 : 1)
    precondition(
        scaleCount == blockCount,
        "\(scaleCount) scales for \(blockCount) blocks of \(blockSize) elements"
    )
    precondition(codeCount == count, "\(codeCount) codes for \(count) elements")
}
