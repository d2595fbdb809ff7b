internal import CSIMDKernels
internal import Tensors

// The element types of float buffers that kernels read and write. Reading widens exactly to float32. Writing
// rounds to nearest, ties to even; subnormal results are kept, and a finite value beyond the range gives
// infinity.
extension FloatDType {
    /// The type as the C functions call it.
    var cType: qk_float_type {
        switch self {
        case .float32: UInt32(QK_FLOAT32)
        case .bfloat16: UInt32(QK_BFLOAT16)
        case .float16: UInt32(QK_FLOAT16)
        }
    }

    /// Returns the number of elements in a buffer of a whole number of them.
    func count(in bufferByteCount: Int) -> Int {
        precondition(
            bufferByteCount % byteCount == 0,
            "\(bufferByteCount) bytes are no whole number of \(self) elements"
        )
        return bufferByteCount / byteCount
    }
}
