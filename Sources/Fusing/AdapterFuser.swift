public import CheckpointIO
internal import Machine
public import QLoRA
public import Quant
public import Tensors

/// Merges adapters into a model and writes the result as an ordinary checkpoint.
///
/// Streams: each weight is read, decoded if it is quantized, merged in float32 and written, whole rows at
/// a time on several threads, in memory that does not grow with the model. The bytes do not depend on
/// the number of threads.
public struct AdapterFuser: Sendable {
    /// An adapter and a factor of its scaling.
    public struct Part: Sendable {
        /// The adapter.
        public let adapter: AdapterFolder
        /// Multiplies the scaling; 1 merges it as it was trained.
        public let weight: Double

        /// Takes an adapter.
        public init(_ adapter: AdapterFolder, weight: Double = 1) {
            self.adapter = adapter
            self.weight = weight
        }
    }

    /// What is to be written.
    public struct Options: Sendable {
        /// The type of the floats; nil for each one's own before quantization.
        public var dtype: FloatDType?
        /// Whether quantized weights stay quantized: merged ones are quantized again, all others keep
        /// their bytes.
        public var requantizes = false
        /// What the base has to be; nil takes any.
        public var base: Base?
        /// The most bytes of tensors in one file; nil for a single file.
        public var maximumShardByteCount: Int?
        /// The level of zstd; nil writes plain safetensors files.
        public var zstdLevel: Int?

        /// Makes options.
        public init() {}
    }

    /// What adapters are merged into.
    public enum Base: String, Sendable, CaseIterable {
        /// The weights that a quantized model computes with.
        case dequantized
        /// Weights that never were quantized.
        case original
    }

    /// What is going to happen.
    public var plan: ConversionPlan { editor.plan }
    /// What the base is.
    public let base: Base
    /// The modules that something is merged into.
    public let mergedModuleCount: Int
    private let editor: CheckpointEditor
    private let checkpoint: Checkpoint
    private let changes: AdapterChanges

    /// Plans the work, and checks everything but the values of the base's weights.
    /// - Parameters:
    ///   - checkpoint: the base.
    ///   - parts: the adapters in the order of merging.
    ///   - options: what is to be written.
    /// - Throws: what `AdapterFolder.bound(to:)` throws; `adapter.unsupported` for what cannot be
    ///   merged; `adapter.contradiction` for adapters that exclude each other; `num.nonFinite` for an
    ///   adapter's numbers; `quant.unsupported` if the base is not what `options` ask for.
    public init(
        _ checkpoint: Checkpoint,
        _ parts: [Part],
        options: Options = Options()
    ) throws(CheckpointError) {
        base = Self.base(of: checkpoint)
        if let wanted = options.base, wanted != base {
            throw CheckpointError(
                .quantUnsupported,
                "the base is \(base == .original ? "not quantized" : "quantized")",
                expected: wanted.rawValue,
                found: base.rawValue
            )
        }
        guard !options.requantizes || base == .dequantized else {
            throw CheckpointError(
                .quantUnsupported,
                "the base is not quantized, so nothing can be quantized again as it was",
                hint: "fuse it, and convert the result"
            )
        }
        let fused = try FusedBase(checkpoint, parts)
        let checkpoint = fused.checkpoint
        self.checkpoint = checkpoint
        changes = try AdapterChanges(checkpoint, parts)
        mergedModuleCount = changes.mergedModuleCount
        var edit = CheckpointEditor.Options()
        edit.dtype = options.dtype
        edit.requantizes = options.requantizes
        edit.maximumShardByteCount = options.maximumShardByteCount
        edit.zstdLevel = options.zstdLevel
        editor = try CheckpointEditor(
            checkpoint,
            changes: changes,
            options: edit,
            warnings: fused.warnings + changes.warnings
        )
    }

    /// Writes the merged checkpoint.
    /// - Parameters:
    ///   - destination: the folder to make.
    ///   - options: how to run.
    /// - Returns: what was done.
    /// - Throws: `num.overflow` if a merged value does not fit the type, `num.nonFinite`,
    ///   `quant.absmax`, `output.…`, `file.…`, `limit.memory`.
    public func run(
        to destination: String,
        options: RunOptions = RunOptions()
    ) throws(CheckpointError) -> ConversionReport {
        try editor.run(to: destination, command: "fuse", options: options)
    }

    /// Measures what is left of the adapters in a result that was quantized again.
    /// - Parameters:
    ///   - destination: the folder that `run` made.
    ///   - options: how to run.
    /// - Returns: the sums of each merged weight.
    /// - Throws: what opening and reading throw.
    public func survival(
        in destination: String,
        options: RunOptions = RunOptions()
    ) throws(CheckpointError) -> DeltaSurvival {
        var opening = Checkpoint.Options(allowsAnyArchitecture: checkpoint.model == nil)
        opening.budget = options.budget
        return try DeltaSurvival(
            checkpoint,
            try Checkpoint(at: destination, options: opening),
            changes,
            on: options.workers
        )
    }

    private static func base(of checkpoint: Checkpoint) -> Base {
        checkpoint.tensors.contains {
            QuantizedNames.weight(ofSideTensor: $0.description.name) != nil
        } ? .dequantized : .original
    }
}
