internal import CSIMDKernels

/// The element types of float buffers that kernels read and write.
///
/// Reading widens exactly to float32. Writing rounds to nearest, ties to even; subnormal results
/// are kept, and a finite value beyond the range gives infinity.
package enum FloatElement: Sendable, Hashable, CaseIterable {
    case float32, bfloat16, float16

    /// The bytes of one element.
    package var byteCount: Int { self == .float32 ? 4 : 2 }

    var cType: qk_float_type {
        switch self {
        case .float32: UInt32(QK_FLOAT32)
        case .bfloat16: UInt32(QK_BFLOAT16)
        case .float16: UInt32(QK_FLOAT16)
        }
    }
}
