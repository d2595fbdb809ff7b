internal import SIMDKernels
internal import Tensors

/// The kernels of a format on runs of whole blocks or rows: everything that quantizes or dequantizes
/// calls them here.
struct TileCodec: Sendable {
    let config: QuantizationConfig
    /// `K`, the length of a row.
    let columnCount: Int

    /// Finds scales, and the codes for them unless the scales are searched for.
    /// - Parameters:
    ///   - input: elements.
    ///   - dtype: their type.
    ///   - codes: receives the codes; left alone where scales are searched for.
    ///   - scales: receives the scales; not finite where an element of the block or row is not.
    func quantize(
        _ input: RawSpan,
        as dtype: FloatDType,
        codes: inout MutableRawSpan,
        scales: inout MutableSpan<Float>
    ) {
        let blockSize = config.blockSize.rawValue
        switch config.format {
        case .nf4, .fp4:
            guard let codebook = config.format.kernelCodebook else { return }
            switch config.scale {
            case .search:
                ScaleSearch4BitKernel.selected.search(
                    input,
                    as: dtype,
                    blockSize: blockSize,
                    codebook: codebook,
                    scales: &scales
                )
            case .absmax:
                Quantize4BitKernel.selected.quantize(
                    input,
                    as: dtype,
                    blockSize: blockSize,
                    codebook: codebook,
                    codes: &codes,
                    absmax: &scales
                )
            }
        case .int8Vectorwise:
            QuantizeInt8RowsKernel.selected.quantize(
                input,
                as: dtype,
                rowCount: scales.count,
                columnCount: columnCount,
                codes: &codes,
                scales: &scales
            )
        case .int8Blockwise:
            Quantize8BitKernel.selected.quantize(
                input,
                as: dtype,
                blockSize: blockSize,
                codebook: Codebook.dynamicSignedKernel,
                codes: &codes,
                absmax: &scales
            )
        }
    }

    /// Finds the 4-bit codes for given scales.
    func chooseCodes(
        _ input: RawSpan,
        as dtype: FloatDType,
        scales: Span<Float>,
        codes: inout MutableRawSpan
    ) {
        guard let codebook = config.format.kernelCodebook else {
            preconditionFailure("\(config.format) finds its scales itself")
        }
        Quantize4BitKernel.selected.quantize(
            input,
            as: dtype,
            blockSize: config.blockSize.rawValue,
            codebook: codebook,
            scales: scales,
            codes: &codes
        )
    }

    /// Decodes codes.
    /// - Parameters:
    ///   - codes: of `count` elements.
    ///   - scales: of their blocks or rows.
    ///   - count: the number of elements.
    ///   - output: receives as many elements.
    ///   - dtype: their type.
    func dequantize(
        _ codes: RawSpan,
        scales: Span<Float>,
        count: Int,
        into output: inout MutableRawSpan,
        as dtype: FloatDType
    ) {
        switch config.format {
        case .nf4, .fp4:
            guard let codebook = config.format.kernelCodebook else { return }
            Dequantize4BitKernel.selected.dequantize(
                codes: codes,
                absmax: scales,
                count: count,
                blockSize: config.blockSize.rawValue,
                values: codebook,
                into: &output,
                as: dtype
            )
        case .int8Vectorwise:
            DequantizeInt8RowsKernel.selected.dequantize(
                codes: codes,
                scales: scales,
                rowCount: scales.count,
                columnCount: columnCount,
                into: &output,
                as: dtype
            )
        case .int8Blockwise:
            Dequantize8BitKernel.selected.dequantize(
                codes: codes,
                absmax: scales,
                blockSize: config.blockSize.rawValue,
                values: Codebook.dynamicSignedKernel,
                into: &output,
                as: dtype
            )
        }
    }
}

extension Span<Float> {
    /// Whether all numbers are finite.
    var isFinite: Bool {
        for index in indices where !self[index].isFinite { return false }
        return true
    }
}
