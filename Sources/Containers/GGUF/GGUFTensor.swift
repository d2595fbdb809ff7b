package import Files
package import Tensors

/// One tensor as a GGUF file describes it, validated.
package struct GGUFTensor: Hashable, Sendable {
    /// The name in the file, for example `blk.0.attn_q.weight`.
    package let name: Name
    /// The type of its blocks.
    package let type: GGUFTensorType
    /// The lengths of the dimensions, outermost first (the file has them the other way round).
    package let shape: [Int]
    /// The bytes it fills in the file, without padding.
    package let bytes: Range<Int>

    /// The number of elements.
    package var elementCount: Int { shape.reduce(1, *) }

    /// The length of the innermost dimension: a multiple of the block length.
    package var rowLength: Int { shape.last ?? 1 }

    /// The type of the elements as they are read: packed ones decode to float32.
    package var elementDType: DType {
        switch type {
        case .f16: .float16
        case .bf16: .bfloat16
        default: .float32
        }
    }
}
