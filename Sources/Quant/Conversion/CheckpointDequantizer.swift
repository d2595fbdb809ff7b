public import CheckpointIO
public import Tensors

/// Turns the quantized weights of a checkpoint back into floats.
///
/// The result is an ordinary checkpoint without `quantization_config`, for programs that do not
/// read quantized ones.
public struct CheckpointDequantizer: Sendable {
    /// What is to be written.
    public struct Options: Sendable {
        /// The type of all float tensors; nil for each one's own before quantization.
        public var dtype: FloatDType?
        /// The most bytes of tensors in one file; nil for a single file.
        public var maximumShardByteCount: Int?
        /// The level of zstd; nil writes plain safetensors files.
        public var zstdLevel: Int?

        /// Makes options.
        public init(dtype: FloatDType? = nil) {
            self.dtype = dtype
        }
    }

    /// What is going to happen.
    public let plan: ConversionPlan

    /// Plans the work and validates what belongs to every quantized weight, except the values of
    /// its scales.
    /// - Throws: `quant.…` for a defect; `quant.unsupported` if nothing is quantized.
    public init(_ checkpoint: Checkpoint, options: Options = Options()) throws(CheckpointError) {
        plan = ConversionPlan(tensors: [], files: [], companionNames: [], warnings: [])
    }

    /// Writes the float checkpoint.
    /// - Parameters:
    ///   - destination: the folder to make.
    ///   - sources: the files and folders that are read, as paths.
    ///   - options: how to run.
    /// - Returns: what was done.
    /// - Throws: `num.overflow` if a value does not fit the type, `quant.absmax`, `output.…`,
    ///   `file.…`, `limit.memory`.
    public func run(
        to destination: String,
        sources: [String],
        options: RunOptions = RunOptions()
    ) throws(CheckpointError) -> ConversionReport {
        ConversionReport(tensors: [], files: [], warnings: plan.warnings)
    }
}
