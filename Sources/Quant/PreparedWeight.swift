public import CheckpointIO
public import Machine
internal import SIMDKernels
public import Tensors

/// A quantized weight in the order in which products read it: made once, used by every product.
///
/// 4-bit weights whose scales change only at multiples of eight columns, and LLM.int8() weights whose
/// columns are a multiple of eight, are interleaved by panels of 16 rows (`PackedPanels`), with scales
/// in float32: as many bytes as the canonical codes, and exactly reversible. All others keep their
/// order and are dequantized a few rows at a time.
public final class PreparedWeight: Sendable {
    /// `N`, the outputs.
    public let rowCount: Int
    /// `K`, the inputs.
    public let columnCount: Int
    /// What the codes mean.
    public let config: QuantizationConfig
    /// The type of the weight before quantization.
    public let dtype: FloatDType
    /// `.int8` multiplies activations of at least this magnitude in float32; nil for formats other than
    /// LLM.int8() (Dettmers 2022, section 3.2).
    public let outlierThreshold: Float?
    let storage: Storage

    /// How codes and scales lie.
    enum Storage: Sendable {
        case packed(PackedCodes)
        case canonical(CanonicalWeight)
    }

    /// Codes and scales in panels.
    final class PackedCodes: Sendable {
        let weight: PackedWeight
        /// The scales as they are stored, if those are quantized: rounding cannot be undone.
        let nestedScales: DoubleQuantizedAbsmax?
        var panels: PackedPanels { weight.panels }

        init(
            _ panels: PackedPanels,
            of weight: QuantizedMatrix,
            values: Codebook4Bit?,
            budget: MemoryBudget?,
            arena: MemoryArena?
        ) throws(CheckpointError) {
            var codes = try AlignedBuffer.allocate(
                byteCount: panels.codeByteCount,
                budget: budget,
                in: arena
            )
            var scales = try AlignedBuffer.allocate(
                byteCount: 4 * panels.scaleCount,
                budget: budget,
                in: arena
            )
            weight.codes.withRawSpan { source in
                weight.absmax.values.withFloatSpan { absmax in
                    codes.withMutableBytes { codes in
                        scales.withMutableFloats(panels.scaleCount) { scales in
                            panels.pack(
                                codes: source,
                                scales: absmax,
                                blockSize: weight.layout.scaleStride,
                                into: &codes,
                                &scales
                            )
                        }
                    }
                }
            }
            do throws(AllocationError) {
                self.weight = try PackedWeight(
                    panels,
                    values: values,
                    codes: codes,
                    scales: scales
                )
            } catch {
                throw CheckpointError(error)
            }
            if case .doubleQuantized(let nested) = weight.absmax {
                nestedScales = nested
            } else {
                nestedScales = nil
            }
        }
    }

    /// The threshold of outliers that transformers quantizes with.
    public static let usualOutlierThreshold: Float = 6

    /// Prepares a weight.
    /// - Parameters:
    ///   - weight: what to multiply with.
    ///   - outlierThreshold: `llm_int8_threshold` of the checkpoint; 0 makes no difference between
    ///     activations. Counts for LLM.int8() only.
    ///   - budget: what the copy is counted against.
    ///   - arena: where the copy is, if it shares memory with others; counted there.
    /// - Throws: `limit.memory`.
    public init(
        _ weight: QuantizedMatrix,
        outlierThreshold: Float = usualOutlierThreshold,
        budget: MemoryBudget? = nil,
        in arena: MemoryArena? = nil
    ) throws(CheckpointError) {
        rowCount = weight.rowCount
        columnCount = weight.columnCount
        config = weight.config
        dtype = weight.dtype
        let hasOutliers = config.format == .int8Vectorwise && outlierThreshold > 0
        self.outlierThreshold = hasOutliers ? outlierThreshold : nil
        if let panels = PackedPanels(weight) {
            let values = weight.config.format.kernelCodebook
            storage = .packed(
                try PackedCodes(
                    panels,
                    of: weight,
                    values: values,
                    budget: budget,
                    arena: arena
                )
            )
        } else {
            storage = .canonical(CanonicalWeight(weight))
        }
    }

    /// Whether products read panels; else they dequantize a few rows at a time, which is slower.
    public var isPacked: Bool {
        if case .packed = storage { true } else { false }
    }
}

extension PackedPanels {
    /// Lays out a quantized weight; nil if it cannot be packed.
    fileprivate init?(_ weight: QuantizedMatrix) {
        switch weight.config.format {
        case .nf4, .fp4:
            self.init(
                rowCount: weight.rowCount,
                columnCount: weight.columnCount,
                blockSize: weight.config.blockSize.rawValue
            )
        case .int8Vectorwise:
            self.init(rowCount: weight.rowCount, columnCountOf8Bits: weight.columnCount)
        case .int8Blockwise: return nil
        }
    }
}
