internal import CheckpointIO
internal import Tensors

/// Copies the elements of a tensor as they are.
struct CopyJob: WritingJob {
    let view: TensorView

    var name: Name { view.description.name }
    var elementCount: Int { view.description.elementCount }
    var sourceByteCount: Int { view.description.byteCount }
    /// A multiple of what fills whole bytes, whatever the type.
    var tileElementCount: Int {
        8 * TileSize.usual / view.description.dtype.bitCount * 4
    }

    func run(
        _ range: Range<Int>,
        phase: Int,
        scratch: inout WorkerScratch,
        writer: SafetensorsWriter
    ) throws(CheckpointError) -> TileResult {
        let bitCount = view.description.dtype.bitCount
        let byteCount = range.count * bitCount / 8
        try scratch.reserve(input: byteCount)
        try scratch.input.withMutablePrefix(byteCount) {
            (bytes: inout MutableRawSpan) throws(CheckpointError) in
            try view.read(range, into: &bytes)
        }
        try scratch.input.withPrefix(byteCount) { (bytes) throws(CheckpointError) in
            try writer.write(bytes, of: name, at: range.lowerBound * bitCount / 8)
        }
        return TileResult()
    }
}
