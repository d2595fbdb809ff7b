internal import CUTF8Proc

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// The normal forms of Unicode, by utf8proc: Foundation's leave Hangul apart, or join what is none.
enum NormalForm: String, Sendable {
    case nfc = "NFC"
    case nfd = "NFD"
    case nfkc = "NFKC"
    case nfkd = "NFKD"

    private var options: UInt32 {
        let stable = UTF8PROC_STABLE.rawValue
        return switch self {
        case .nfc: stable | UTF8PROC_COMPOSE.rawValue
        case .nfd: stable | UTF8PROC_DECOMPOSE.rawValue
        case .nfkc: stable | UTF8PROC_COMPOSE.rawValue | UTF8PROC_COMPAT.rawValue
        case .nfkd: stable | UTF8PROC_DECOMPOSE.rawValue | UTF8PROC_COMPAT.rawValue
        }
    }

    /// Returns a text, which is valid UTF-8, in this form.
    func normalized(_ text: [UInt8]) -> [UInt8] {
        var result: UnsafeMutablePointer<UInt8>?
        let count = unsafe text.withUnsafeBufferPointer { text in
            unsafe utf8proc_map(
                text.baseAddress,
                text.count,
                &result,
                utf8proc_option_t(rawValue: options)
            )
        }
        guard count >= 0, let buffer = unsafe result else {
            preconditionFailure("utf8proc refuses valid UTF-8: \(count)")
        }
        defer { unsafe free(buffer) }
        return unsafe Array(UnsafeBufferPointer(start: buffer, count: count))
    }
}
