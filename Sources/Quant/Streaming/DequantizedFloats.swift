package import CheckpointIO
internal import Machine
package import Tensors

/// The elements of a quantized weight `[N, K]`, decoded as they are read.
package struct DequantizedFloats: FloatSource {
    private let stored: StoredQuantization
    private let layout: PackedLayout
    private let codec: TileCodec
    /// The type they are rounded to.
    package let dtype: FloatDType

    package init(_ stored: StoredQuantization, as dtype: FloatDType) {
        self.stored = stored
        self.dtype = dtype
        layout = stored.layout
        codec = TileCodec(config: stored.config, columnCount: stored.columnCount)
    }

    package var elementCount: Int { layout.elementCount }
    package var name: Name { stored.codes.storedName }
    package var fileName: String { stored.codes.fileName }

    /// - Throws: `quant.absmax` for a scale that is negative or not finite.
    package func read(
        _ range: Range<Int>,
        into bytes: inout MutableRawSpan,
        _ workspace: inout Workspace
    ) throws(CheckpointError) {
        guard !range.isEmpty else { return }
        // Scales belong to whole blocks or rows; only the end of a block may be left out.
        let stride = layout.scaleStride
        let start = range.lowerBound / stride * stride
        let end =
            stored.config.format.isBlockwise
            ? range.upperBound : (range.upperBound + stride - 1) / stride * stride
        guard start != range.lowerBound || end != range.upperBound else {
            return try decode(range, into: &bytes, &workspace)
        }
        let size = dtype.byteCount
        let byteCount = (end - start) * size
        try workspace.withBuffer(byteCount) { (whole, workspace) throws(CheckpointError) in
            try whole.withMutablePrefix(byteCount) { (whole) throws(CheckpointError) in
                try decode(start..<end, into: &whole, &workspace)
            }
            whole.withPrefix(byteCount) { whole in
                let offset = (range.lowerBound - start) * size
                bytes.copy(from: whole.extracting(offset..<offset + range.count * size))
            }
        }
    }

    /// Whole rows, where scales belong to rows.
    package var tileElementCount: Int {
        let stride = layout.scaleStride
        return max(1, TileSize.usual / stride) * stride
    }

    /// Decodes whole blocks or rows.
    private func decode(
        _ range: Range<Int>,
        into bytes: inout MutableRawSpan,
        _ workspace: inout Workspace
    ) throws(CheckpointError) {
        let is4Bit = stored.config.format.is4Bit
        let firstByte = is4Bit ? range.lowerBound / 2 : range.lowerBound
        let byteCount = layout.codeByteCount(forElements: range.count)
        let firstScale = range.lowerBound / layout.scaleStride
        let scaleCount = layout.scaleCount(forElements: range.count)
        try StoredParts.withBytes(
            stored.codes,
            firstByte..<firstByte + byteCount,
            &workspace
        ) { (codes, workspace) throws(CheckpointError) in
            try stored.withScales(firstScale..<firstScale + scaleCount, &workspace) { scales in
                codec.dequantize(
                    codes,
                    scales: scales,
                    count: range.count,
                    into: &bytes,
                    as: dtype
                )
            }
        }
    }
}

extension StoredQuantization {
    /// Reads scales, restored if they are nested, and passes them to `body`.
    /// - Throws: `quant.absmax` for one that is negative or not finite.
    func withScales(
        _ range: Range<Int>,
        _ workspace: inout Workspace,
        _ body: (Span<Float>) -> Void
    ) throws(CheckpointError) {
        switch scales {
        case .float32(let view):
            try StoredParts.withFloats(view, range, &workspace) {
                (values, _) throws(CheckpointError) in
                try Self.check(values, of: view, from: range.lowerBound) {
                    $0.isFinite && $0 >= 0
                }
                body(values)
            }
        case .nested(let codeView, let absmaxView, let offset):
            let size = DoubleQuantizedAbsmax.blockSize
            let blocks = range.lowerBound / size..<(range.upperBound + size - 1) / size
            let start = blocks.lowerBound * size
            let count = range.upperBound - start
            try StoredParts.withFloats(absmaxView, blocks, &workspace) {
                (absmax, workspace) throws(CheckpointError) in
                try Self.check(absmax, of: absmaxView, from: blocks.lowerBound) { $0.isFinite }
                try StoredParts.withBytes(codeView, start..<range.upperBound, &workspace) {
                    (codes, workspace) throws(CheckpointError) in
                    try workspace.withBuffer(4 * count) { (restored, _) in
                        restored.withMutableFloats(count) {
                            DoubleQuantizedAbsmax.restore(codes, absmax, offset, into: &$0)
                        }
                        restored.withFloats(count) {
                            body($0.extracting(range.lowerBound - start..<count))
                        }
                    }
                }
            }
        }
    }

    /// Returns scales, restored if they are nested.
    /// - Throws: as `withScales`.
    func scaleValues(_ range: Range<Int>) throws(CheckpointError) -> [Float] {
        var values: [Float] = []
        values.reserveCapacity(range.count)
        var workspace = Workspace()
        try withScales(range, &workspace) { scales in
            for index in scales.indices { values.append(scales[index]) }
        }
        return values
    }

    private static func check(
        _ values: Span<Float>,
        of view: TensorView,
        from start: Int,
        _ isGood: (Float) -> Bool
    ) throws(CheckpointError) {
        guard let index = values.indices.first(where: { !isGood(values[$0]) }) else { return }
        throw CheckpointError(
            .quantAbsmax,
            "scale \(start + index) is \(values[index])",
            file: view.fileName,
            tensor: view.description.name,
            expected: "a finite number that is not negative",
            found: "\(values[index])"
        )
    }
}

extension StoredQuantization {
    /// Returns how many codes of some elements differ from those of another weight of the same format.
    /// - Throws: what reading throws.
    package func changedCodeCount(
        _ other: StoredQuantization,
        _ range: Range<Int>
    ) throws(CheckpointError) -> Int {
        let is4Bit = config.format.is4Bit
        // Two codes share a byte; what is asked for may begin or end inside one.
        let bytes = is4Bit ? range.lowerBound / 2..<(range.upperBound + 1) / 2 : range
        let (own, others) = (
            try StoredParts.bytes(codes, bytes), try StoredParts.bytes(other.codes, bytes)
        )
        guard is4Bit else { return zip(own, others).count { $0 != $1 } }
        return range.count { element in
            let index = element / 2 - bytes.lowerBound
            let difference = own[index] ^ others[index]
            return (element % 2 == 0 ? difference >> 4 : difference & 15) != 0
        }
    }
}
