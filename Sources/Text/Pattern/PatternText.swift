internal import CPCRE2

/// What PCRE2 says about patterns.
enum PatternText {
    /// The library's words for one of its errors.
    static func message(_ code: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            unsafe pcre2_get_error_message_8(code, buffer.baseAddress, buffer.count)
        }
        return String(decoding: buffer.prefix(Int(max(count, 0))), as: UTF8.self)
    }
}
