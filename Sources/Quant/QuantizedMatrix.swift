public import Tensors

/// A weight `[N, K]` as codes and scales.
public struct QuantizedMatrix: Sendable, Hashable {
    /// `N`, the outputs.
    public let rowCount: Int
    /// `K`, the inputs.
    public let columnCount: Int
    /// What the codes mean.
    public let config: QuantizationConfig
    /// The type of the weight before quantization, which a dequantized one gets back.
    public let dtype: FloatDType
    /// The codes, packed as `layout` says.
    public let codes: [UInt8]
    /// The scales.
    public let absmax: Absmax

    /// Puts together codes and scales.
    /// - Precondition: there are as many of both as `PackedLayout` says, and scales are nested if
    ///   and only if `config` says so.
    public init(
        rowCount: Int,
        columnCount: Int,
        config: QuantizationConfig,
        dtype: FloatDType,
        codes: [UInt8],
        absmax: Absmax
    ) {
        let layout = PackedLayout(rowCount: rowCount, columnCount: columnCount, config: config)
        precondition(
            codes.count == layout.codeByteCount,
            "\(codes.count) bytes of codes instead of \(layout.codeByteCount)"
        )
        precondition(
            absmax.count == layout.scaleCount,
            "\(absmax.count) scales instead of \(layout.scaleCount)"
        )
        let isNested = if case .doubleQuantized = absmax { true } else { false }
        precondition(
            isNested == (config.absmax == .doubleQuantized),
            "scales are \(isNested ? "" : "not ")nested, and \(config) says otherwise"
        )
        self.rowCount = rowCount
        self.columnCount = columnCount
        self.config = config
        self.dtype = dtype
        self.codes = codes
        self.absmax = absmax
    }

    /// The same with another type of the weight before quantization.
    package func recorded(as dtype: FloatDType) -> QuantizedMatrix {
        QuantizedMatrix(
            rowCount: rowCount,
            columnCount: columnCount,
            config: config,
            dtype: dtype,
            codes: codes,
            absmax: absmax
        )
    }

    /// Sizes and places of codes and scales.
    public var layout: PackedLayout {
        PackedLayout(rowCount: rowCount, columnCount: columnCount, config: config)
    }

    /// The code of an element; that of int8 by its byte.
    public func code(row: Int, column: Int) -> UInt8 {
        let (byteOffset, isLowNibble) = layout.position(row: row, column: column)
        let byte = codes[byteOffset]
        guard config.format.is4Bit else { return byte }
        return isLowNibble ? byte & 15 : byte >> 4
    }
}
