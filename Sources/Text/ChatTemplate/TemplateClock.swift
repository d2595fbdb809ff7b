#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Dates as templates want them.
enum TemplateClock {
    /// Returns a time in the local time zone, written as C's `strftime` does it.
    static func text(_ seconds: Int, _ format: String) -> String {
        var time = time_t(seconds)
        var parts = unsafe tm()
        _ = unsafe localtime_r(&time, &parts)
        var buffer = [CChar](repeating: 0, count: 256)
        let count = unsafe strftime(&buffer, buffer.count, format, &parts)
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Seconds since 1970.
    static var now: Int { Int(time(nil)) }
}
