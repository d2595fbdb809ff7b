internal import CheckpointIO
internal import Machine
internal import SIMDKernels
internal import Tensors

/// Looks for NaN and infinity in a whole tensor, on all cores.
enum NonFiniteCheck {
    /// Returns the error for a tensor's elements that are not finite; nil if all are.
    static func error(in source: any FloatSource) throws(CheckpointError) -> CheckpointError? {
        let tile = 1 << 20
        let count = (source.elementCount + tile - 1) / tile
        let sums = try WorkerPool.shared().map(count) {
            (index, _) throws(CheckpointError) -> Bool in
            let range = index * tile..<min((index + 1) * tile, source.elementCount)
            let byteCount = range.count * source.dtype.byteCount
            var buffer = try AlignedBuffer.allocate(byteCount: byteCount)
            try buffer.withMutableBytes { (bytes: inout MutableRawSpan) throws(CheckpointError) in
                try source.read(range, into: &bytes)
            }
            return buffer.withBytes { bytes in
                ErrorSumsKernel.selected.sums(
                    original: bytes,
                    as: source.dtype.element,
                    decoded: bytes,
                    as: source.dtype.element
                ).nonFiniteCount == 0
            }
        }
        guard sums.contains(false) else { return nil }
        return try FloatScan(of: source).nonFiniteError()
    }
}
