#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// The memory limits of Linux control groups.
enum ControlGroup {
    /// Returns the smallest limit of the process's groups and all groups above them.
    ///
    /// `membership` is the text of `/proc/self/cgroup`, lines `ID:CONTROLLERS:PATH`;
    /// `readingFile` returns the text of a file, or `nil` if there is none.
    static func memoryLimitByteCount(
        membership: String,
        readingFile: (String) -> String?
    ) -> Int? {
        var smallest: Int?
        for line in membership.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let root: String
            let file: String
            if fields[0] == "0", fields[1].isEmpty {
                (root, file) = ("/sys/fs/cgroup", "memory.max")
            } else if fields[1].split(separator: ",").contains("memory") {
                (root, file) = ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            } else {
                continue
            }
            // Inside a container the path may be that of the host, so the root counts as well.
            var parts = fields[2].split(separator: "/")
            while true {
                let folder = ([root] + parts.map(String.init)).joined(separator: "/")
                if let text = readingFile("\(folder)/\(file)"), let limit = limit(in: text) {
                    smallest = min(smallest ?? limit, limit)
                }
                if parts.isEmpty { break }
                parts.removeLast()
            }
        }
        return smallest
    }

    /// Reads `max` or a number; version 1 says "none" with a number close to the largest.
    private static func limit(in text: String) -> Int? {
        let digits = text.prefix { $0.isNumber }
        guard let value = Int(digits), value < 1 << 60 else { return nil }
        return value
    }

    /// Returns the text of a small file of the system.
    static func text(at path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 16_384)
        let count = unsafe read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { return nil }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
