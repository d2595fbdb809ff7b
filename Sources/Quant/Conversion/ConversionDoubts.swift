internal import CheckpointIO
internal import Tensors

/// What a plan may be worth less for than it seems: weights that stay floats, and results that other
/// programs do not open as they are.
struct ConversionDoubts {
    let checkpoint: Checkpoint
    let choice: ModuleChoice
    let units: [ConversionUnit]
    let quantized: [(module: Name, config: QuantizationConfig)]
    /// Whether the files are compressed.
    let isPacked: Bool

    /// What there is to say, in a fixed order.
    var findings: [CheckpointError] {
        [guess, unread, floatExperts, singleExperts, raggedBlocks, ownFormat, packedFiles]
            .compactMap { $0 }
    }

    /// What makes a result that other programs open.
    var remedies: [ConversionPlan.Remedy] {
        let isOwnFormat = ownFormat != nil
        var remedies: [ConversionPlan.Remedy] = []
        if let size = dividingBlockSize { remedies.append(.blockSize(size)) }
        if singleExperts != nil { remedies.append(.skipExperts) }
        if isPacked, !isOwnFormat { remedies.append(.unpack) }
        if isOwnFormat { remedies.append(.dequantize) }
        return remedies
    }

    /// The largest block size that divides the rows of all 4-bit weights, where the planned one does
    /// not; nil if it does, or if none is small enough.
    private var dividingBlockSize: Int? {
        var isRagged = false
        var common = 0
        for unit in units {
            guard case .quantize(let config, _) = unit.action, config.format.is4Bit,
                let columnCount = unit.shape.last
            else { continue }
            isRagged = isRagged || columnCount % config.blockSize.rawValue != 0
            // The lowest bit of all: the largest power of two that divides each.
            common |= columnCount
        }
        return isRagged ? BlockSize.allCases.map(\.rawValue).last { common % $0 == 0 } : nil
    }

    // MARK: What stays as it is

    private var guess: CheckpointError? {
        guard checkpoint.model == nil else { return nil }
        let matrices = checkpoint.tensors.count { choice.matrixKind(of: $0.description) != nil }
        return CheckpointError(
            .modelGuess,
            "which matrices are linear layers is a guess by their names: "
                + "\(quantized.count) of \(matrices) are quantized, the others are listed in"
                + " config.json as left alone"
        )
    }

    private var unread: CheckpointError? {
        guard let unread = Self.unreadTypes(checkpoint, choice) else { return nil }
        return CheckpointError(
            .modelKept,
            "\(unread.count) linear weights are \(unread.types), which are not read; they stay as they"
                + " are"
        )
    }

    /// The linear weights whose elements are of no type that can be quantized.
    static func unreadTypes(
        _ checkpoint: Checkpoint,
        _ choice: ModuleChoice
    ) -> (count: Int, types: String)? {
        let unread = checkpoint.tensors.filter { tensor in
            choice.matrixKind(of: tensor.description)?.isLinear == true
                && FloatDType(tensor.description.dtype) == nil
        }
        guard !unread.isEmpty else { return nil }
        return (unread.count, Set(unread.map(\.storedType)).sorted().joined(separator: " and "))
    }

    private var floatExperts: CheckpointError? {
        let experts = units.filter { unit in
            unit.shape.count == 3 && unit.name.text.split(separator: ".").contains("experts")
        }
        guard !experts.isEmpty else { return nil }
        let count = { (units: [ConversionUnit]) in
            units.reduce(0) { $0 + $1.shape.reduce(1, *) }
        }
        let percent = 100 * Double(count(experts)) / Double(max(1, count(units)))
        return CheckpointError(
            .modelKept,
            "\(experts.count) tensors of experts in one piece stay floats, with"
                + " \(Int(percent.rounded())) % of all weights"
        )
    }

    // MARK: Who opens it

    private var singleExperts: CheckpointError? {
        let experts = quantized.filter { entry in
            let components = entry.module.text.split(separator: ".")
            return zip(components, components.dropFirst()).contains { name, number in
                name == "experts" && number.allSatisfy(\.isNumber)
            }
        }
        guard let first = experts.first else { return nil }
        return CheckpointError(
            .modelForeign,
            "\(experts.count) experts are quantized one by one, and transformers 5, which joins them"
                + " when it loads, cannot open that; it opens the result if experts are skipped",
            tensor: first.module
        )
    }

    /// The 4-bit weights with which bitsandbytes does not compute on every processor.
    ///
    /// Source: bitsandbytes 0.50.2, `functional._convert_weight_packed_for_cpu`.
    private var ragged: [(module: Name, blockSize: Int)] {
        let shapes = Dictionary(
            units.map { ($0.name, $0.shape) },
            uniquingKeysWith: { first, _ in first }
        )
        return quantized.compactMap { entry in
            let size = entry.config.blockSize.rawValue
            guard entry.config.format.is4Bit,
                let shape = shapes[Name(entry.module.text + ".weight")],
                shape[1] % size != 0 || shape[0] % 32 != 0
            else { return nil }
            return (entry.module, size)
        }
    }

    private var raggedBlocks: CheckpointError? {
        let ragged = ragged
        guard let first = ragged.first else { return nil }
        return CheckpointError(
            .modelForeign,
            "\(ragged.count) matrices have rows that blocks of \(first.blockSize) do not divide, or"
                + " not a multiple of 32 rows: bitsandbytes computes with them on GPUs and when"
                + " training, but stops on processors with AVX-512 BF16",
            tensor: first.module
        )
    }

    private var ownFormat: CheckpointError? {
        guard quantized.contains(where: { $0.config.format == .int8Blockwise }) else { return nil }
        return CheckpointError(
            .modelForeign,
            "int8-blockwise is a format of this package; transformers and bitsandbytes do not read it"
        )
    }

    private var packedFiles: CheckpointError? {
        guard isPacked else { return nil }
        return CheckpointError(
            .modelForeign,
            "transformers does not read .safetensors.zst: unpack the files before"
        )
    }
}

extension SafetensorsLayout.Metadata {
    /// The mark of tensors that are not those of the architecture; nothing for all others.
    static func unchecked(_ checkpoint: Checkpoint) -> [SafetensorsLayout.Metadata] {
        checkpoint.failsItsConfiguration ? [.init(Checkpoint.uncheckedKey, "1")] : []
    }
}
