internal import CheckpointIO
internal import Machine
internal import SIMDKernels
internal import Tensors

/// Writes float elements, rounded to another type if it is another.
struct RoundJob: WritingJob {
    let name: Name
    let source: any FloatSource
    let dtype: FloatDType
    let sourceByteCount: Int

    var elementCount: Int { source.elementCount }
    var tileElementCount: Int { source.tileElementCount }

    func run(
        _ range: Range<Int>,
        phase: Int,
        scratch: inout WorkerScratch,
        writer: SafetensorsWriter
    ) throws(CheckpointError) -> TileResult {
        let byteCount = range.count * dtype.byteCount
        try scratch.reserve(output: byteCount)
        var result = TileResult()
        if source.dtype == dtype {
            try scratch.output.withMutablePrefix(byteCount) {
                (bytes: inout MutableRawSpan) throws(CheckpointError) in
                try source.read(range, into: &bytes, &scratch.reading)
            }
        } else {
            var losses = RoundedFloats.Losses()
            try scratch.output.withMutablePrefix(byteCount) {
                (bytes: inout MutableRawSpan) throws(CheckpointError) in
                losses = try RoundedFloats.read(
                    range,
                    of: source,
                    to: dtype,
                    into: &bytes,
                    &scratch.reading
                )
            }
            guard losses.overflowCount == 0 else {
                throw try FloatScan(of: source).overflowError(to: dtype)
            }
            result.flushedToZeroCount = losses.underflowCount
        }
        try scratch.output.withPrefix(byteCount) { (bytes) throws(CheckpointError) in
            try writer.write(bytes, of: name, at: range.lowerBound * dtype.byteCount)
        }
        return result
    }
}
