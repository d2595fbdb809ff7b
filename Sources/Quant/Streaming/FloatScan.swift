internal import CheckpointIO
internal import Machine
internal import Tensors

/// A look at every element of a tensor, for the numbers that an error has to tell.
///
/// Slow and simple: it runs only when something is wrong.
struct FloatScan {
    private let source: any FloatSource

    init(of source: any FloatSource) {
        self.source = source
    }

    /// Returns the error for the elements that are NaN or infinite; nil if all are finite.
    func nonFiniteError() throws(CheckpointError) -> CheckpointError? {
        var first: (index: Int, value: Float)?
        var count = 0
        try forEach { index, value in
            guard !value.isFinite else { return }
            if first == nil { first = (index, value) }
            count += 1
        }
        return first.map { nonFiniteError(first: $0, count: count) }
    }

    /// Returns the error for `count` elements that are NaN or infinite.
    func nonFiniteError(first: (index: Int, value: Float), count: Int) -> CheckpointError {
        let others = count == 1 ? "" : ", the first of \(count) such elements"
        return CheckpointError(
            .numNonFinite,
            "element \(first.index) is \(Self.text(first.value))\(others)",
            file: source.fileName,
            tensor: source.name,
            expected: "finite numbers",
            found: "\(count) of \(source.elementCount) not finite",
            hint: "`keepsNonFinite` leaves such tensors unquantized"
        )
    }

    /// Returns the error for the finite elements that are infinite in another type.
    func overflowError(to dtype: FloatDType) throws(CheckpointError) -> CheckpointError {
        let limit: Float = dtype == .float16 ? 65520 : 0x1.FFp127
        var count = 0
        var largest: Float = 0
        try forEach { _, value in
            guard value.isFinite, value.magnitude >= limit else { return }
            count += 1
            if value.magnitude > largest.magnitude { largest = value }
        }
        return CheckpointError(
            .numOverflow,
            "\(count) elements do not fit \(dtype.rawValue); the largest is \(largest)",
            file: source.fileName,
            tensor: source.name,
            hint: dtype == .float16 ? "use `dtype` bf16, or a format other than int8" : nil
        )
    }

    private static func text(_ value: Float) -> String {
        value.isNaN ? "NaN" : value < 0 ? "-infinity" : "infinity"
    }

    private func forEach(
        _ body: (_ index: Int, _ value: Float) -> Void
    ) throws(CheckpointError) {
        let tile = 1 << 16
        let size = source.dtype.byteCount
        var buffer = try AlignedBuffer.allocate(byteCount: tile * size)
        var workspace = Workspace()
        var start = 0
        while start < source.elementCount {
            let range = start..<min(start + tile, source.elementCount)
            try buffer.withMutablePrefix(range.count * size) {
                (bytes: inout MutableRawSpan) throws(CheckpointError) in
                try source.read(range, into: &bytes, &workspace)
            }
            buffer.withPrefix(range.count * size) { bytes in
                for index in 0..<range.count {
                    body(start + index, bytes.float(at: index, as: source.dtype))
                }
            }
            start = range.upperBound
        }
    }
}
