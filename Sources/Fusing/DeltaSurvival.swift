internal import CheckpointIO
internal import Machine
internal import QLoRA
internal import Quant
internal import Tensors

/// What is left of adapters after merged weights were quantized again.
///
/// The wanted change of a weight is `W' - Q`, where `W'` is merged and `Q` decoded from the codes before;
/// the kept one is `Q' - Q`, decoded from the codes after. Small changes drown in the steps of the codes.
public struct DeltaSurvival: Sendable {
    /// One weight.
    public struct Layer: Sendable {
        /// The module.
        public let module: String
        /// The sums over its elements.
        public let sums: Sums
    }

    /// Sums over the elements of weights.
    public struct Sums: Sendable {
        /// The number of codes.
        public var codeCount = 0
        /// Codes that are no longer what they were.
        public var changedCodeCount = 0
        /// `Σ wanted²`.
        public var wanted = 0.0
        /// `Σ kept²`.
        public var kept = 0.0
        /// `Σ wanted · kept`.
        public var product = 0.0
        /// `Σ W'²`.
        public var merged = 0.0
        /// `Σ (Q' - W')²`.
        public var error = 0.0

        /// The share of codes that changed.
        public var changedShare: Double {
            codeCount == 0 ? 0 : Double(changedCodeCount) / Double(codeCount)
        }

        /// The cosine of the wanted and the kept change; 1 if nothing was wanted and nothing changed.
        public var cosine: Double {
            wanted == 0 && kept == 0
                ? 1 : wanted == 0 || kept == 0 ? 0 : product / (wanted * kept).squareRoot()
        }

        /// `‖Q' - W'‖ / ‖W'‖`: the error of the merged weight.
        public var relativeError: Double { merged == 0 ? 0 : (error / merged).squareRoot() }

        static func += (left: inout Sums, right: Sums) {
            left.codeCount += right.codeCount
            left.changedCodeCount += right.changedCodeCount
            left.wanted += right.wanted
            left.kept += right.kept
            left.product += right.product
            left.merged += right.merged
            left.error += right.error
        }
    }

    /// The weights in the order of the files.
    public let layers: [Layer]

    /// All of them together.
    public var total: Sums { layers.reduce(into: Sums()) { $0 += $1.sums } }

    /// The weights of which least is left, worst first.
    public func worst(_ count: Int) -> [Layer] {
        Array(layers.sorted { $0.sums.cosine < $1.sums.cosine }.prefix(count))
    }

    /// Compares a base with what became of it.
    init(
        _ base: Checkpoint,
        _ result: Checkpoint,
        _ changes: AdapterChanges,
        on workers: WorkerPool
    ) throws(CheckpointError) {
        var layers: [Layer] = []
        for view in base.tensors where changes.names.contains(view.description.name) {
            let name = view.description.name
            guard let before = try StoredQuantization(view, in: base),
                let changed = result[name], let after = try StoredQuantization(changed, in: result)
            else { continue }
            let source = try changes.source(
                of: name,
                over: DequantizedFloats(before, as: .float32),
                shape: [before.rowCount, before.columnCount]
            )
            layers.append(
                Layer(
                    module: String(name.text.dropLast(".weight".count)),
                    sums: try Self.sums(before, after, source, on: workers)
                )
            )
        }
        self.layers = layers
    }

    private static func sums(
        _ before: StoredQuantization,
        _ after: StoredQuantization,
        _ merged: any FloatSource,
        on workers: WorkerPool
    ) throws(CheckpointError) -> Sums {
        let (old, new) = (
            DequantizedFloats(before, as: .float32), DequantizedFloats(after, as: .float32)
        )
        let tile = merged.tileElementCount
        let count = (merged.elementCount + tile - 1) / tile
        let parts = try workers.map(count) { (index, _) throws(CheckpointError) -> Sums in
            let range = index * tile..<min((index + 1) * tile, merged.elementCount)
            var sums = Sums()
            let wanted = try floats(merged, range)
            let (from, to) = (try floats(old, range), try floats(new, range))
            for place in wanted.indices {
                let change = Double(wanted[place]) - Double(from[place])
                let kept = Double(to[place]) - Double(from[place])
                let error = Double(to[place]) - Double(wanted[place])
                sums.wanted += change * change
                sums.kept += kept * kept
                sums.product += change * kept
                sums.merged += Double(wanted[place]) * Double(wanted[place])
                sums.error += error * error
            }
            sums.codeCount = range.count
            sums.changedCodeCount = try before.changedCodeCount(after, range)
            return sums
        }
        return parts.reduce(into: Sums()) { $0 += $1 }
    }

    private static func floats(
        _ source: any FloatSource,
        _ range: Range<Int>
    ) throws(CheckpointError) -> [Float] {
        var values = [Float](repeating: 0, count: range.count)
        try values.withMutableFloatBytes { (bytes) throws(CheckpointError) in
            try source.read(range, into: &bytes)
        }
        return values
    }
}
