public import CheckpointIO
internal import Machine
internal import SIMDKernels
public import Tensors

extension Matrix {
    /// Returns the matrix as codes and scales.
    /// - Throws: `num.nonFinite` if an element is NaN or infinite, `num.overflow` if one does not
    ///   fit float16, to which LLM.int8 rounds.
    public func quantized(
        using config: QuantizationConfig
    ) throws(CheckpointError) -> QuantizedMatrix {
        try QuantizedMatrix(
            quantizing: MatrixFloats(self),
            rowCount: rowCount,
            columnCount: columnCount,
            using: config
        )
    }
}

extension QuantizedMatrix {
    /// Quantizes elements.
    /// - Parameters:
    ///   - source: `rowCount · columnCount` elements, row by row.
    ///   - rowCount: `N`.
    ///   - columnCount: `K`.
    ///   - config: what they become.
    ///   - workers: the threads.
    /// - Throws: `num.nonFinite`, `num.overflow`, or what reading throws.
    package init(
        quantizing source: any FloatSource,
        rowCount: Int,
        columnCount: Int,
        using config: QuantizationConfig,
        on workers: WorkerPool = WorkerPool.shared()
    ) throws(CheckpointError) {
        let layout = PackedLayout(rowCount: rowCount, columnCount: columnCount, config: config)
        precondition(
            source.elementCount == layout.elementCount,
            "\(source.elementCount) elements for [\(rowCount), \(columnCount)]"
        )
        var tiles = try Tiles(source: source, layout: layout, config: config, workers: workers)
        var absmax = Absmax.float32([])
        if layout.elementCount > 0 {
            try tiles.findScales()
            if config.absmax == .doubleQuantized {
                let nested = DoubleQuantizedAbsmax(quantizing: tiles.scales)
                absmax = .doubleQuantized(nested)
                tiles.scales = config.scale == .search ? nested.restored() : tiles.scales
            } else {
                absmax = .float32(tiles.scales)
            }
            if config.scale == .search { try tiles.chooseCodes() }
        } else if config.absmax == .doubleQuantized {
            absmax = .doubleQuantized(DoubleQuantizedAbsmax(quantizing: []))
        } else {
            absmax = .float32(tiles.scales)
        }
        self.init(
            rowCount: rowCount,
            columnCount: columnCount,
            config: config,
            dtype: source.dtype,
            codes: tiles.codes,
            absmax: absmax
        )
    }

    /// The codes and scales of a matrix while they are made, tile by tile.
    private struct Tiles {
        let source: any FloatSource
        let codec: TileCodec
        let workers: WorkerPool
        /// Elements of a tile: whole blocks or rows.
        let stride: Int
        let codeStride: Int
        let scaleStride: Int
        let scratch: ScratchPool
        var codes: [UInt8]
        var scales: [Float]

        init(
            source: any FloatSource,
            layout: PackedLayout,
            config: QuantizationConfig,
            workers: WorkerPool
        ) throws(CheckpointError) {
            scratch = try ScratchPool(workerCount: workers.threadCount, budget: nil)
            self.source = source
            self.workers = workers
            codec = TileCodec(config: config, columnCount: layout.columnCount)
            stride = layout.tileElementCount
            codeStride = layout.codeByteCount(forElements: stride)
            scaleStride = layout.scaleCount(forElements: stride)
            codes = [UInt8](repeating: 0, count: layout.codeByteCount)
            scales = [Float](repeating: 0, count: layout.scaleCount)
        }

        mutating func findScales() throws(CheckpointError) {
            let (source, codec, workers, stride) = (source, codec, workers, stride)
            let (codeStride, scaleStride, scratch) = (codeStride, scaleStride, scratch)
            var newScales = scales
            try codes.withMutableRawSpan { (codes: inout MutableRawSpan) throws(CheckpointError) in
                try newScales.withMutableFloatSpan { (scales) throws(CheckpointError) in
                    try workers.perform(
                        writing: &codes,
                        every: codeStride,
                        and: &scales,
                        every: scaleStride
                    ) { (index, worker, codes, scales) throws(CheckpointError) in
                        try scratch.withTile(index, of: source, every: stride, worker) { input in
                            codec.quantize(input, as: source.dtype, codes: &codes, scales: &scales)
                        }
                    }
                }
            }
            scales = newScales
            guard scales.contains(where: { !$0.isFinite }) else { return }
            let scan = FloatScan(of: source)
            if var error = try scan.nonFiniteError() {
                error.file = nil
                error.hint = nil
                throw error
            }
            throw try scan.overflowError(to: .float16)
        }

        mutating func chooseCodes() throws(CheckpointError) {
            let (source, codec, workers, stride) = (source, codec, workers, stride)
            let (codeStride, scaleStride, scales) = (codeStride, scaleStride, scales)
            let scratch = scratch
            try codes.withMutableRawSpan { (codes: inout MutableRawSpan) throws(CheckpointError) in
                try workers.perform(writing: &codes, every: codeStride) {
                    (index, worker, codes) throws(CheckpointError) in
                    try scratch.withTile(index, of: source, every: stride, worker) { input in
                        scales.withFloatSpan { scales in
                            let first = index * scaleStride
                            let count = min(scaleStride, scales.count - first)
                            codec.chooseCodes(
                                input,
                                as: source.dtype,
                                scales: scales.extracting(first..<first + count),
                                codes: &codes
                            )
                        }
                    }
                }
            }
        }
    }
}

extension ScratchPool {
    /// Reads a tile of a source, and passes its bytes to `body`.
    fileprivate func withTile(
        _ index: Int,
        of source: any FloatSource,
        every stride: Int,
        _ worker: Int,
        _ body: (RawSpan) -> Void
    ) throws(CheckpointError) {
        let range = index * stride..<min((index + 1) * stride, source.elementCount)
        let byteCount = range.count * source.dtype.byteCount
        try withScratch(of: worker) { (scratch) throws(CheckpointError) in
            try scratch.reserve(input: byteCount)
            try scratch.input.withMutablePrefix(byteCount) { (bytes) throws(CheckpointError) in
                try source.read(range, into: &bytes, &scratch.reading)
            }
            scratch.input.withPrefix(byteCount, body)
        }
    }
}
