public import Files
public import Tensors

/// What a file says of a tensor: its name, element type and shape.
public struct TensorDescription: Hashable, Sendable {
    /// The name, for example `model.layers.0.mlp.up_proj.weight`.
    public let name: Name
    /// The type of the elements.
    public let dtype: DType
    /// The lengths of the dimensions, outermost first; empty for a scalar.
    public let shape: [Int]

    /// Describes a tensor whose size is known to be representable.
    /// - Precondition: no dimension is negative, and the bytes fit `Int`.
    public init(name: Name, dtype: DType, shape: [Int]) {
        precondition(shape.allSatisfy { $0 >= 0 }, "negative dimension in \(shape) of \(name)")
        self.name = name
        self.dtype = dtype
        self.shape = shape
    }

    /// The number of elements: the product of the shape, 1 for a scalar.
    public var elementCount: Int { shape.reduce(1, *) }

    /// The number of bytes the elements fill.
    public var byteCount: Int { elementCount * dtype.bitCount / 8 }
}
