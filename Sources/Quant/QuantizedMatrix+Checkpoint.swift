public import CheckpointIO
internal import Tensors

extension QuantizedMatrix {
    /// Reads a quantized weight of a checkpoint, in bitsandbytes' layout or this package's own.
    /// - Parameters:
    ///   - name: of the weight, for example `model.layers.0.mlp.up_proj.weight`.
    ///   - checkpoint: where it is, with everything that belongs to it.
    /// - Throws: `model.tensorMissing`; `quant.unsupported` if it is not quantized; `quant.state`,
    ///   `quant.shape`, `quant.map` or `quant.absmax` for a defect; what reading throws.
    public init(_ name: Name, in checkpoint: Checkpoint) throws(CheckpointError) {
        guard let view = checkpoint[name] else {
            throw CheckpointError(.modelTensorMissing, "there is no such tensor", tensor: name)
        }
        guard let stored = try StoredQuantization(view, in: checkpoint) else {
            throw CheckpointError(
                .quantUnsupported,
                "the tensor is not quantized",
                file: view.fileName,
                tensor: name
            )
        }
        try self.init(stored)
    }

    /// Returns everything that a checkpoint holds of the weight, in bitsandbytes' layout or this
    /// package's own: the same bytes as converting a whole checkpoint.
    ///
    /// ```swift
    /// let quantized = try weight.quantized(using: .nf4)
    /// try SafetensorsFile.write(quantized.tensors(named: "up_proj.weight"), to: "up_proj.safetensors")
    /// let again = try QuantizedMatrix("up_proj.weight", in: Checkpoint(at: "up_proj.safetensors"))
    /// ```
    /// - Parameter name: of the weight, for example `model.layers.0.mlp.up_proj.weight`.
    /// - Returns: the tensors, the codes first.
    public func tensors(named name: Name) -> [TensorBytes] {
        let weight = StoredWeight(
            names: QuantizedTensorNames(weight: name),
            config: config,
            dtype: dtype,
            rowCount: rowCount,
            columnCount: columnCount
        )
        return weight.roles.map { role in
            let bytes = weight.constant(role) ?? bytes(role, of: weight)
            let state = TensorDescription(
                name: weight.name(of: role),
                dtype: .uint8,
                shape: [bytes.count]
            )
            return TensorBytes(weight.description(of: role) ?? state, bytes)
        }
    }

    /// The bytes of a tensor that depends on codes or scales.
    private func bytes(_ role: StoredWeight.Role, of weight: StoredWeight) -> [UInt8] {
        switch (role, absmax) {
        case (.codes, _): codes
        case (.scales, .float32(let scales)): scales.littleEndianBytes
        case (.scales, .doubleQuantized(let nested)): nested.codes
        case (.nestedScales, .doubleQuantized(let nested)): nested.absmax.littleEndianBytes
        case (.state, .doubleQuantized(let nested)): weight.state(nestedOffset: nested.offset)
        default: preconditionFailure("\(role) of \(config)")
        }
    }

    package init(_ stored: StoredQuantization) throws(CheckpointError) {
        let layout = stored.layout
        let absmax: Absmax
        let scales = try stored.scaleValues(0..<layout.scaleCount)
        switch stored.scales {
        case .float32: absmax = .float32(scales)
        case .nested(let codes, let nested, let offset):
            absmax = .doubleQuantized(
                DoubleQuantizedAbsmax(
                    codes: try StoredParts.bytes(codes, 0..<layout.scaleCount),
                    absmax: try StoredParts.floats(nested, 0..<nested.description.elementCount),
                    offset: offset
                )
            )
        }
        self.init(
            rowCount: stored.rowCount,
            columnCount: stored.columnCount,
            config: stored.config,
            dtype: stored.dtype,
            codes: try StoredParts.bytes(stored.codes, 0..<layout.codeByteCount),
            absmax: absmax
        )
    }
}
