public import CheckpointIO
internal import Tensors

/// Quantizes the weights of a checkpoint and writes a folder that transformers loads as it is.
///
/// Streams: tiles of tensors are read, quantized and written at their place on several threads, in
/// memory that does not grow with the model. The bytes do not depend on the number of threads.
public struct CheckpointConverter: Sendable {
    /// What is going to happen.
    public var plan: ConversionPlan { output.plan }
    private let output: CheckpointOutput
    private let options: ConversionOptions
    private let command: String

    /// Plans a conversion.
    ///
    /// - Parameters:
    ///   - checkpoint: the model, not quantized yet.
    ///   - options: what becomes of its tensors.
    ///   - running: the threads and the memory for `keepsNonFinite`, which looks at all weights.
    /// - Throws: `quant.unsupported` if the checkpoint is quantized already, if nothing would be
    ///   quantized, or for formats that one model cannot mix; with `keepsNonFinite` also what
    ///   reading throws, since all weights are looked at beforehand.
    public init(
        _ checkpoint: Checkpoint,
        options: ConversionOptions,
        running: RunOptions = RunOptions()
    ) throws(CheckpointError) {
        try self.init(
            checkpoint,
            options: options,
            running: running,
            decomposer: nil,
            command: "convert"
        )
    }

    /// Plans a conversion that splits some of the weights.
    /// - Throws: as `init(_:options:running:)`.
    package init(
        _ checkpoint: Checkpoint,
        options: ConversionOptions,
        running: RunOptions = RunOptions(),
        decomposer: (any WeightDecomposer)?,
        command: String
    ) throws(CheckpointError) {
        let planner = try ConversionPlanner(
            checkpoint,
            options: options,
            decomposer: decomposer,
            running: running
        )
        self.options = options
        self.command = command
        output = try CheckpointOutput(
            checkpoint,
            units: planner.units,
            configuration: planner.configuration.map(QuantizedConfiguration.text),
            metadata: planner.metadata,
            maximumShardByteCount: options.maximumShardByteCount,
            zstdLevel: options.zstdLevel,
            warnings: planner.warnings,
            remedies: planner.remedies,
            decomposer: decomposer
        )
    }

    /// Throws if a checkpoint is quantized already.
    /// - Throws: `quant.unsupported`.
    package static func requireUnquantized(_ checkpoint: Checkpoint) throws(CheckpointError) {
        try ConversionPlanner.requireUnquantized(checkpoint)
    }

    /// Writes the quantized checkpoint.
    /// - Parameters:
    ///   - destination: the folder to make.
    ///   - options: how to run.
    /// - Returns: what was done.
    /// - Throws: `output.insideInput` if the destination is the source or lies inside it;
    ///   `num.nonFinite`, `num.overflow`, `output.…`, `file.…`, `limit.memory`.
    public func run(
        to destination: String,
        options: RunOptions = RunOptions()
    ) throws(CheckpointError) -> ConversionReport {
        try output.write(
            to: destination,
            fields: fingerprintFields
                + (output.decomposition?.decomposer.fingerprintFields ?? []),
            options: options
        )
    }

    /// The options that decide bytes, in a fixed order.
    private var fingerprintFields: [Fingerprint.Field] {
        let rules = options.rules.map { "\($0.pattern.text)=\($0.config?.description ?? "none")" }
        return [
            .init("command", command),
            .init("format", options.config.description),
            .init("skip", options.skip.map(\.text).joined(separator: "\n")),
            .init("only", options.only.map(\.text).joined(separator: "\n")),
            .init("rules", rules.joined(separator: "\n")),
            .init("dtype", options.dtype?.rawValue ?? "-"),
            .init("keep-nonfinite", String(options.keepsNonFinite)),
            .init("max-shard-size", options.maximumShardByteCount.map { String($0) } ?? "-"),
            .init("zstd", options.zstdLevel.map { String($0) } ?? "-"),
        ]
    }
}
