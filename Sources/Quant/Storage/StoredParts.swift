internal import CheckpointIO
internal import Tensors

/// The tensors beside one weight, and what each has to be.
struct StoredParts {
    let names: QuantizedTensorNames
    let checkpoint: Checkpoint

    subscript(name: Name) -> TensorView? { checkpoint[name] }

    func hasAny(_ names: [Name]) -> Bool { names.contains { checkpoint[$0] != nil } }

    func views(_ names: [Name]) -> [TensorView] { names.compactMap { checkpoint[$0] } }

    /// Returns a tensor of scales, which has to be as the weight's description says.
    /// - Throws: `quant.absmax`.
    func require(
        _ role: StoredWeight.Role,
        of weight: StoredWeight
    ) throws(CheckpointError) -> TensorView {
        let name = weight.name(of: role)
        guard let view = checkpoint[name] else {
            throw CheckpointError(.quantAbsmax, "scales are missing", tensor: name)
        }
        let (expected, found) = (weight.description(of: role), view.description)
        guard expected == nil || (expected?.dtype == found.dtype && expected?.shape == found.shape)
        else {
            throw CheckpointError(
                .quantAbsmax,
                "scales of another type or number",
                file: view.fileName,
                tensor: name,
                expected: expected.map { "\($0.dtype.rawValue) \($0.shape)" },
                found: "\(found.dtype.rawValue) \(found.shape)"
            )
        }
        return view
    }

    /// Throws unless a tensor holds the values of a code table, up to rounding.
    /// - Throws: `quant.map`.
    func requireMap(_ name: Name, _ values: [Float]) throws(CheckpointError) {
        guard let view = checkpoint[name] else {
            throw CheckpointError(.quantMap, "the table of the codes is missing", tensor: name)
        }
        guard view.description.dtype == .float32, view.description.shape == [values.count] else {
            throw CheckpointError(
                .quantMap,
                "the table of the codes has another type or size",
                file: view.fileName,
                tensor: name,
                expected: "F32 [\(values.count)]",
                found: "\(view.description.dtype.rawValue) \(view.description.shape)"
            )
        }
        let stored = try Self.floats(view, 0..<values.count)
        for (index, (found, expected)) in zip(stored, values).enumerated()
        where !((found - expected).magnitude <= 1e-6) {
            throw CheckpointError(
                .quantMap,
                "the table differs from that of its format at code \(index)",
                file: view.fileName,
                tensor: name,
                expected: "\(expected)",
                found: "\(found)"
            )
        }
    }

    /// Returns the bytes of a small tensor.
    /// - Throws: `quant.state` if it is no list of bytes, or a long one.
    static func text(_ view: TensorView) throws(CheckpointError) -> [UInt8] {
        let limit = QuantizationState.byteCountLimit
        guard view.description.dtype == .uint8, view.description.elementCount <= limit else {
            throw CheckpointError(
                .quantState,
                "not a text of at most \(limit) bytes",
                file: view.fileName,
                tensor: view.description.name,
                found: "\(view.description.dtype.rawValue) \(view.description.shape)"
            )
        }
        return try bytes(view, 0..<view.description.elementCount)
    }

    /// Returns elements of an F32 tensor.
    static func floats(
        _ view: TensorView,
        _ range: Range<Int>
    ) throws(CheckpointError) -> [Float] {
        var values = [Float](repeating: 0, count: range.count)
        try values.withMutableFloatBytes { (bytes) throws(CheckpointError) in
            try view.read(range, into: &bytes)
        }
        return values
    }

    /// Returns bytes of a tensor, whatever its elements are.
    static func bytes(
        _ view: TensorView,
        _ range: Range<Int>
    ) throws(CheckpointError) -> [UInt8] {
        let (elements, size) = elements(view, range)
        var bytes = [UInt8](repeating: 0, count: elements.count * size)
        try bytes.withMutableRawSpan { (span: inout MutableRawSpan) throws(CheckpointError) in
            try view.read(elements, into: &span)
        }
        guard bytes.count != range.count else { return bytes }
        let start = range.lowerBound - elements.lowerBound * size
        return Array(bytes[start..<start + range.count])
    }

    /// Passes elements of an F32 tensor to `body`.
    static func withFloats(
        _ view: TensorView,
        _ range: Range<Int>,
        _ workspace: inout Workspace,
        _ body: (Span<Float>, inout Workspace) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        try workspace.withBuffer(4 * range.count) { (buffer, workspace) throws(CheckpointError) in
            try buffer.withMutablePrefix(4 * range.count) { (bytes) throws(CheckpointError) in
                try view.read(range, into: &bytes)
            }
            try buffer.withFloats(range.count) { (values) throws(CheckpointError) in
                try body(values, &workspace)
            }
        }
    }

    /// Passes bytes of a tensor, whatever its elements are, to `body`.
    static func withBytes(
        _ view: TensorView,
        _ range: Range<Int>,
        _ workspace: inout Workspace,
        _ body: (RawSpan, inout Workspace) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        let (elements, size) = elements(view, range)
        let byteCount = elements.count * size
        try workspace.withBuffer(byteCount) { (buffer, workspace) throws(CheckpointError) in
            try buffer.withMutablePrefix(byteCount) { (bytes) throws(CheckpointError) in
                try view.read(elements, into: &bytes)
            }
            let start = range.lowerBound - elements.lowerBound * size
            try buffer.withPrefix(byteCount) { (bytes) throws(CheckpointError) in
                try body(bytes.extracting(start..<start + range.count), &workspace)
            }
        }
    }

    /// The whole elements that have some bytes, and the size of one.
    private static func elements(_ view: TensorView, _ bytes: Range<Int>) -> (Range<Int>, Int) {
        let size = max(view.description.dtype.bitCount / 8, 1)
        return (bytes.lowerBound / size..<(bytes.upperBound + size - 1) / size, size)
    }
}
