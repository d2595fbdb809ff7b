internal import Tensors

extension RawSpan {
    /// Returns an element of a buffer of floats, widened to float32.
    /// - Precondition: the buffer has more than `index` elements.
    func float(at index: Int, as dtype: FloatDType) -> Float {
        switch dtype {
        case .float32:
            element(index, as: Float.self)
        case .bfloat16:
            Float(BFloat16(bitPattern: element(index, as: UInt16.self)))
        case .float16:
            Float(Half(bitPattern: element(index, as: UInt16.self)))
        }
    }

    /// Returns a byte.
    func byte(at index: Int) -> UInt8 { element(index, as: UInt8.self) }

    private func element<Value: BitwiseCopyable>(_ index: Int, as type: Value.Type) -> Value {
        let offset = index * MemoryLayout<Value>.size
        precondition(offset + MemoryLayout<Value>.size <= byteCount, "element \(index)")
        return unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: type)
    }
}
