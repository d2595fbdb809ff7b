extension MutableRawSpan {
    /// Overwrites these bytes with as many others.
    /// - Precondition: equal counts.
    package mutating func copy(from source: RawSpan) {
        precondition(
            source.byteCount == byteCount,
            "\(source.byteCount) bytes into \(byteCount)"
        )
        unsafe withUnsafeMutableBytes { target in
            unsafe source.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
        }
    }
}
