internal import CheckpointIO

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// One of the two streams the tool writes to, without buffering.
enum StandardStream: Int32, Sendable {
    case output = 1
    case error = 2

    /// Writes all of the text.
    /// - Returns: 0, or the system's error number; `EPIPE` if nobody reads any more.
    func write(_ text: String) -> Int32 {
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            let written = unsafe bytes.withUnsafeBytes { buffer in
                unsafe systemWrite(
                    rawValue,
                    buffer.baseAddress.map { unsafe $0 + start },
                    bytes.count - start
                )
            }
            if written < 0 {
                if errno == EINTR { continue }
                return errno
            }
            start += written
        }
        return 0
    }

    /// Writes a result; a reader that has gone away (`| head`) is no error, the rest is dropped.
    ///
    /// - Throws: `file.io` if the stream cannot take it, for example on a full disk.
    static func put(_ text: String) throws(CheckpointError) {
        let number = StandardStream.output.write(text)
        guard number != 0, number != EPIPE else { return }
        throw CheckpointError(
            .fileIo,
            "standard output cannot be written: \(unsafe String(cString: strerror(number)))",
            systemError: number
        )
    }
}

private func systemWrite(_ stream: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    unsafe write(stream, bytes, count)
}
