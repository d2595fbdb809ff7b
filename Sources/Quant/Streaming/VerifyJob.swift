internal import CheckpointIO
internal import Machine
internal import SIMDKernels
internal import Tensors

/// Reads every byte of a tensor, for whatever its container checks.
struct ReadJob: TensorJob {
    let view: TensorView

    var name: Name { view.description.name }
    var elementCount: Int { view.description.elementCount }
    var sourceByteCount: Int { view.storedByteCount }
    var phaseCount: Int { 1 }
    /// A multiple of what fills whole bytes, whatever the type.
    var tileElementCount: Int { 32 * TileSize.usual / view.description.dtype.bitCount / 8 * 8 }

    func run(
        _ range: Range<Int>,
        phase: Int,
        scratch: inout WorkerScratch
    ) throws(CheckpointError) -> TileResult {
        let byteCount = range.count * view.description.dtype.bitCount / 8
        try scratch.reserve(input: byteCount)
        return try TileResult.collecting { () throws(CheckpointError) in
            try scratch.input.withMutablePrefix(byteCount) {
                (bytes: inout MutableRawSpan) throws(CheckpointError) in
                try view.read(range, into: &bytes)
            }
            return TileResult()
        }
    }

    func finish(phase: Int) throws(CheckpointError) {}
}

/// Looks at every element of a float or quantized tensor, and measures how far it is from another.
struct VerifyJob: TensorJob {
    let name: Name
    let source: any FloatSource
    /// What it was made of; nil measures nothing.
    let original: (any FloatSource)?
    let sourceByteCount: Int

    var elementCount: Int { source.elementCount }
    var phaseCount: Int { 1 }
    var tileElementCount: Int { source.tileElementCount }

    func run(
        _ range: Range<Int>,
        phase: Int,
        scratch: inout WorkerScratch
    ) throws(CheckpointError) -> TileResult {
        let byteCount = range.count * source.dtype.byteCount
        let originalByteCount = range.count * (original?.dtype.byteCount ?? 0)
        try scratch.reserve(input: byteCount, output: originalByteCount)
        return try TileResult.collecting { () throws(CheckpointError) in
            try scratch.input.withMutablePrefix(byteCount) {
                (bytes: inout MutableRawSpan) throws(CheckpointError) in
                try source.read(range, into: &bytes, &scratch.reading)
            }
            var result = scratch.input.withPrefix(byteCount) { finiteness(of: $0, range) }
            guard let original else { return result }
            try scratch.output.withMutablePrefix(originalByteCount) {
                (bytes: inout MutableRawSpan) throws(CheckpointError) in
                try original.read(range, into: &bytes, &scratch.reading)
            }
            result.distortion = Self.compare(
                scratch.output,
                originalByteCount,
                original.dtype,
                with: scratch.input,
                byteCount,
                source.dtype
            )
            return result
        }
    }

    func finish(phase: Int) throws(CheckpointError) {}

    private func finiteness(of bytes: RawSpan, _ range: Range<Int>) -> TileResult {
        var result = TileResult()
        result.nonFiniteCount = CountNonFiniteKernel.selected.count(
            in: bytes,
            as: source.dtype
        )
        guard result.nonFiniteCount > 0 else { return result }
        for index in 0..<range.count {
            let value = bytes.float(at: index, as: source.dtype)
            guard !value.isFinite else { continue }
            result.firstNonFinite = (range.lowerBound + index, value)
            break
        }
        return result
    }

    private static func compare(
        _ original: borrowing AlignedBuffer,
        _ originalByteCount: Int,
        _ originalDType: FloatDType,
        with decoded: borrowing AlignedBuffer,
        _ byteCount: Int,
        _ dtype: FloatDType
    ) -> TileDistortion {
        original.withPrefix(originalByteCount) { original in
            decoded.withPrefix(byteCount) { decoded in
                TileDistortion(original: original, as: originalDType, decoded: decoded, as: dtype)
            }
        }
    }
}

extension TileResult {
    /// Returns what `body` does, or a defect of the data that it throws as a finding.
    fileprivate static func collecting(
        _ body: () throws(CheckpointError) -> TileResult
    ) throws(CheckpointError) -> TileResult {
        do throws(CheckpointError) {
            return try body()
        } catch {
            guard error.code.category == .badData || error.code.category == .unsupported else {
                throw error
            }
            return TileResult(finding: error)
        }
    }
}
