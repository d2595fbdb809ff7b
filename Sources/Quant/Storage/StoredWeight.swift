internal import CheckpointIO
package import Tensors

/// What a quantized weight is made of in a checkpoint: the one description of it that writers and
/// readers share.
///
/// | format | tensors |
/// |---|---|
/// | nf4, fp4 | `W` U8 `[bytes, 1]`, `W.absmax` F32 `[blocks]`, `W.quant_map` F32 `[16]`, a state |
/// | the same, nested | `W.absmax` U8, `W.nested_absmax` F32 `[blocks / 256]`, `W.nested_quant_map` F32 `[256]` as well |
/// | int8 | `W` I8 `[N, K]`, `SCB` F32 `[N]` and `weight_format` U8 `[]` beside the module |
/// | int8-blockwise | `W` U8 `[N, K]`, `W.int8_blockwise_scales` F32 `[blocks]`, a state |
package struct StoredWeight: Sendable, Hashable {
    /// The names of its tensors.
    package let names: QuantizedTensorNames
    /// How it is quantized.
    package let config: QuantizationConfig
    /// The type of the weight before quantization.
    package let dtype: FloatDType
    /// `N`.
    package let rowCount: Int
    /// `K`.
    package let columnCount: Int

    package init(
        names: QuantizedTensorNames,
        config: QuantizationConfig,
        dtype: FloatDType,
        rowCount: Int,
        columnCount: Int
    ) {
        self.names = names
        self.config = config
        self.dtype = dtype
        self.rowCount = rowCount
        self.columnCount = columnCount
    }

    /// Sizes and places of codes and scales.
    package var layout: PackedLayout {
        PackedLayout(rowCount: rowCount, columnCount: columnCount, config: config)
    }

    /// What a tensor of the weight holds.
    enum Role: Hashable, CaseIterable {
        /// The codes, packed as `layout` says.
        case codes
        /// One scale for each block or row; 8-bit codes of them if they are nested.
        case scales
        /// The scales of nested scales, one for each 256.
        case nestedScales
        /// The values of the codes.
        case table
        /// The values of the codes of nested scales.
        case nestedTable
        /// A text that says how the weight is quantized.
        case state
        /// The order of LLM.int8 codes: one byte, 0 for row by row.
        case order
    }

    /// The roles of its tensors, the codes first.
    var roles: [Role] {
        switch (config.format, config.absmax) {
        case (.nf4, .float32), (.fp4, .float32): [.codes, .scales, .table, .state]
        case (.nf4, .doubleQuantized), (.fp4, .doubleQuantized):
            [.codes, .scales, .table, .nestedScales, .nestedTable, .state]
        case (.int8Vectorwise, _): [.codes, .scales, .order]
        case (.int8Blockwise, _): [.codes, .scales, .state]
        }
    }

    /// The name of a tensor.
    func name(of role: Role) -> Name {
        switch (role, config.format) {
        case (.codes, _): names.weight
        case (.scales, .int8Vectorwise): names.rowScales
        case (.scales, .int8Blockwise): names.blockScales
        case (.scales, _): names.absmax
        case (.nestedScales, _): names.nestedAbsmax
        case (.table, _): names.quantMap
        case (.nestedTable, _): names.nestedQuantMap
        case (.state, .int8Blockwise): names.blockState
        case (.state, _): names.state(config.format)
        case (.order, _): names.weightFormat
        }
    }

    /// What a tensor is; nil for a state whose length depends on the mean of the scales.
    func description(of role: Role) -> TensorDescription? {
        func tensor(_ dtype: DType, _ shape: [Int]) -> TensorDescription {
            TensorDescription(name: name(of: role), dtype: dtype, shape: shape)
        }
        let isNested = config.absmax == .doubleQuantized
        switch role {
        case .codes:
            switch config.format {
            case .nf4, .fp4: return tensor(.uint8, [layout.codeByteCount, 1])
            case .int8Vectorwise: return tensor(.int8, [rowCount, columnCount])
            case .int8Blockwise: return tensor(.uint8, [rowCount, columnCount])
            }
        case .scales: return tensor(isNested ? .uint8 : .float32, [layout.scaleCount])
        case .nestedScales:
            return tensor(.float32, [DoubleQuantizedAbsmax.blockCount(of: layout.scaleCount)])
        case .table: return tensor(.float32, [table.count])
        case .nestedTable: return tensor(.float32, [Codebook.dynamicSigned.values.count])
        case .state: return isNested ? nil : tensor(.uint8, [state(nestedOffset: nil).count])
        case .order: return tensor(.uint8, [])
        }
    }

    /// The tensors of a known length, the codes first.
    var outputs: [TensorDescription] { roles.compactMap(description) }

    /// The state, if its length depends on the mean of the scales.
    var lateOutputs: [SafetensorsLayout.LateTensor] {
        guard roles.contains(.state), description(of: .state) == nil else { return [] }
        let longest = fourBitState(nestedOffset: 0).maximumByteCount
        return [.init(name: name(of: .state), maximumByteCount: longest)]
    }

    // MARK: Content that follows from the description

    /// The bytes of a tensor that depends on no code and no scale; nil for any other.
    func constant(_ role: Role) -> [UInt8]? {
        switch role {
        case .table: table.littleEndianBytes
        case .nestedTable: Codebook.dynamicSigned.values.littleEndianBytes
        // Row by row; the other orders are gone.
        case .order: [0]
        case .state: config.absmax == .doubleQuantized ? nil : state(nestedOffset: nil)
        case .codes, .scales, .nestedScales: nil
        }
    }

    /// The text of the state.
    /// - Parameter nestedOffset: the mean of nested scales; nil if they are not nested.
    /// - Returns: UTF-8, as bitsandbytes spells it.
    func state(nestedOffset: Float?) -> [UInt8] {
        guard config.format == .int8Blockwise else {
            return fourBitState(nestedOffset: nestedOffset).text
        }
        return BlockwiseInt8State(
            blockSize: config.blockSize,
            dtype: dtype,
            rowCount: rowCount,
            columnCount: columnCount
        ).text
    }

    private func fourBitState(nestedOffset: Float?) -> QuantizationState {
        QuantizationState(
            format: config.format,
            blockSize: config.blockSize,
            dtype: dtype,
            rowCount: rowCount,
            columnCount: columnCount,
            nestedOffset: nestedOffset
        )
    }

    /// The values of the codes; none where a code is its value.
    private var table: [Float] { config.format.codebook?.values ?? [] }
}
