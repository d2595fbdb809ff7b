public import Files
public import Tensors

/// One tensor as a GGUF file describes it, validated.
public struct GGUFTensor: Hashable, Sendable {
    /// The name in the file, for example `blk.0.attn_q.weight`.
    public let name: Name
    /// The type of its blocks.
    public let type: GGUFTensorType
    /// The lengths of the dimensions, outermost first (the file has them the other way round).
    public let shape: [Int]
    /// The bytes it fills in the file, without padding.
    public let bytes: Range<Int>

    /// The number of elements.
    public var elementCount: Int { shape.reduce(1, *) }

    /// The length of the innermost dimension: a multiple of the block length.
    public var rowLength: Int { shape.last ?? 1 }

    /// The type of the elements as they are read: packed ones decode to float32.
    public var elementDType: DType {
        switch type {
        case .f16: .float16
        case .bf16: .bfloat16
        default: .float32
        }
    }
}
