public import CheckpointIO
internal import Machine
public import QLoRA
public import Quant
internal import Tensors

/// Makes a base and an adapter from a model, or an adapter for a base that is quantized already.
///
/// Streams: one weight at a time is read, split and written. What a run that was stopped had finished is
/// kept for the next one. The bytes do not depend on the number of threads.
///
/// The adapter begins as what it is, with `init_lora_weights` true: it belongs to the base that is written
/// with it, and PEFT must not compute it again. Its file tells the norms of that base, so that merging it
/// into another one is an error.
public struct AdapterCreation: Sendable {
    /// What is to be made.
    public struct Options: Sendable {
        /// How weights are quantized, and what becomes of all others.
        public var conversion: ConversionOptions
        /// Rank, alpha, rsLoRA, patterns, and the layers; all linear ones if it names none.
        public var adapter: LoRAConfig
        /// How often `loftq` and `qpissa` go round.
        public var iterationCount = 1
        /// For what is random.
        public var seed: UInt64 = 0
        /// Sees each layer when it is split, and decides about it; nil accepts all.
        public var decide: (@Sendable (DecomposedLayer) -> DecomposedLayer.Verdict)?
        /// Names the rule behind `decide`: a run goes on only with the same one.
        public var verdictName = ""

        /// Makes options.
        public init(_ conversion: ConversionOptions = ConversionOptions(), adapter: LoRAConfig) {
            self.conversion = conversion
            self.adapter = adapter
        }
    }

    /// What was made.
    public struct Result: Sendable {
        /// The files and tensors.
        public let report: ConversionReport
        /// The layers in the order of the network.
        public let layers: [DecomposedLayer]
    }

    /// What is going to happen.
    public var plan: ConversionPlan { converter.plan }
    /// The layers that get an adapter, in the order of the network.
    public let targets: [ModuleSelection.Target]
    private let converter: CheckpointConverter
    private let decomposer: LayerDecomposer

    /// Plans a base and an adapter.
    /// - Parameters:
    ///   - checkpoint: the model, not quantized.
    ///   - method: how the weights are split.
    ///   - options: what is to be made.
    /// - Throws: `adapter.noTarget`, `adapter.pattern`, `adapter.range`, `adapter.unsupported`;
    ///   `quant.unsupported` if the model is quantized already.
    public init(
        _ checkpoint: Checkpoint,
        method: AdapterMethod = .loftq,
        options: Options
    ) throws(CheckpointError) {
        try self.init(checkpoint, method, nil, method.folderName + "/", options)
    }

    /// Plans an adapter for a base that stays as it is: one step of LoftQ on its codes
    /// (`replace_lora_weights_loftq` of PEFT).
    /// - Parameters:
    ///   - base: the quantized model, from whichever program.
    ///   - original: what it was made from.
    ///   - options: what is to be made; how weights are quantized is the base's.
    /// - Throws: as the other one; `model.tensorMissing` for a layer that the original has not,
    ///   `adapter.shape` if it has another shape there.
    public init(
        correcting base: Checkpoint,
        of original: Checkpoint,
        options: Options
    ) throws(CheckpointError) {
        try self.init(original, .loftq, base, "", options)
    }

    private init(
        _ checkpoint: Checkpoint,
        _ method: AdapterMethod,
        _ base: Checkpoint?,
        _ folder: String,
        _ options: Options
    ) throws(CheckpointError) {
        precondition(options.iterationCount > 0, "\(options.iterationCount) iterations")
        try CheckpointConverter.requireUnquantized(checkpoint)
        var config = options.adapter
        if config.targetModules == nil { config.targetModules = .allLinear }
        let selection = try ModuleSelection(config, in: try ModuleTree(base ?? checkpoint))
        for target in selection.targets {
            try Self.check(target, checkpoint, base)
        }
        config = try selection.withTablesInAnyOrder(config)
        config.targetModules = selection.targetModules
        // Where the base is going to be is not known, nor what it will be called.
        config.baseModel = base?.name
        if checkpoint.writesText { config.taskType = "CAUSAL_LM" }
        let side = SideFile(
            path: folder + AdapterFileName.weights,
            texts: [(folder + AdapterFileName.config, config.text)]
        )
        targets = selection.targets
        decomposer = LayerDecomposer(method, options, selection, base: base, sideFile: side)
        converter = try CheckpointConverter(
            checkpoint,
            options: options.conversion,
            decomposer: decomposer,
            command: "loftq"
        )
    }

    /// Writes base and adapter, or the adapter alone.
    /// - Parameters:
    ///   - destination: the folder to make.
    ///   - options: how to run.
    /// - Returns: what was made.
    /// - Throws: `num.nonFinite`, `num.factorization`, `num.overflow`, `output.…`, `file.…`,
    ///   `limit.memory`.
    public func run(
        to destination: String,
        options: RunOptions = RunOptions()
    ) throws(CheckpointError) -> Result {
        let report = try converter.run(to: destination, options: options)
        var layers: [DecomposedLayer] = []
        for target in targets {
            guard let note = report.notes[Name(target.module.name + ".weight")] else { continue }
            layers.append(try DecomposedLayer(target.module.name, note: note))
        }
        return Result(report: report, layers: layers)
    }

    /// Measures how long the splitting of all layers is going to take, by splitting a small matrix.
    /// - Parameter threadCount: the threads; nil for one for each core this process may use.
    /// - Returns: seconds, roughly.
    /// - Throws: `num.factorization`.
    public func estimatedSeconds(threadCount: Int? = nil) throws(CheckpointError) -> Double {
        let workers = WorkerPool.shared(threadCount: threadCount ?? AvailableCores.count)
        return try TimeEstimate(decomposer, on: workers).seconds(targets)
    }

    private static func check(
        _ target: ModuleSelection.Target,
        _ checkpoint: Checkpoint,
        _ base: Checkpoint?
    ) throws(CheckpointError) {
        let module = target.module
        let name = Name(module.name + ".weight")
        guard module.kind == .linear || module.kind == .convolution1D else {
            throw CheckpointError(
                .adapterUnsupported,
                "\(module.name) is no linear layer, and has no quantized weight to begin from",
                key: "target_modules"
            )
        }
        let smaller = module.shape.min() ?? 0
        guard target.rank <= smaller else {
            throw CheckpointError(
                .adapterRange,
                "the rank is larger than the smaller side of the weight",
                tensor: name,
                key: "r",
                expected: "at most \(smaller)",
                found: "\(target.rank)"
            )
        }
        guard target.scaling > 0, target.scaling.isFinite else {
            throw CheckpointError(
                .adapterRange,
                "the scaling is not above 0",
                key: "lora_alpha",
                found: "\(target.alpha)"
            )
        }
        guard let view = checkpoint[name] else {
            throw CheckpointError(
                .modelTensorMissing,
                base == nil
                    ? "the layer has no weight of its own"
                    : "the original has not the weight of a layer that is adapted",
                tensor: name
            )
        }
        guard let base else { return }
        guard let stored = base[name], try StoredQuantization(stored, in: base) != nil else {
            throw CheckpointError(
                .quantUnsupported,
                "the weight of the base is not quantized",
                tensor: name,
                hint: "name the quantized layers only"
            )
        }
        let shape =
            checkpoint.moduleKind(of: view.description) == .convolution1D
            ? view.description.shape.reversed() : view.description.shape
        guard shape == module.shape else {
            throw CheckpointError(
                .adapterShape,
                "the original weight has another shape than the quantized one",
                file: view.fileName,
                tensor: name,
                expected: "\(module.shape)",
                found: "\(shape)"
            )
        }
    }
}

extension Checkpoint {
    /// Whether the configuration names an architecture that predicts text.
    fileprivate var writesText: Bool {
        guard let names = try? configuration?.array("architectures") else { return false }
        return names.contains { name in
            if case .string(let text) = name { text.hasSuffix("ForCausalLM") } else { false }
        }
    }
}
