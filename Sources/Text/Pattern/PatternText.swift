internal import CPCRE2

/// What is common to all patterns that PCRE2 matches.
enum PatternText {
    /// Compiles a pattern for texts in UTF-8, with Unicode's classes.
    /// - Parameters:
    ///   - pattern: in UTF-8.
    ///   - failure: receives the library's error, and the byte at which it is.
    /// - Returns: the compiled pattern, for its owner to free; nil if it is malformed.
    @unsafe
    static func compile(_ pattern: [UInt8], _ failure: inout (error: Int32, offset: Int))
        -> OpaquePointer?
    {
        unsafe pattern.withUnsafeBufferPointer { bytes in
            unsafe pcre2_compile_8(
                bytes.baseAddress,
                bytes.count,
                UInt32(PCRE2_UTF) | UInt32(PCRE2_UCP),
                &failure.error,
                &failure.offset,
                nil
            )
        }
    }

    /// The library's words for one of its errors.
    static func message(_ code: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            unsafe pcre2_get_error_message_8(code, buffer.baseAddress, buffer.count)
        }
        return String(decoding: buffer.prefix(Int(max(count, 0))), as: UTF8.self)
    }
}
