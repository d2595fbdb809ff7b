#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// The limits of the Linux control groups (version 2 and 1) that the process is in.
enum ControlGroup {
    /// Returns the text of a small file; nil if there is none.
    typealias Reader = (_ path: String) -> String?

    /// The smallest memory limit of all groups up to the root; nil without one.
    static var memoryLimitByteCount: Int? { memoryLimitByteCount(readingFile: text(at:)) }
    /// The smallest processor quota of all groups up to the root, in whole cores rounded up; nil
    /// without one.
    static var coreCount: Int? { coreCount(readingFile: text(at:)) }

    static func memoryLimitByteCount(readingFile: Reader) -> Int? {
        folders(of: "memory", readingFile).compactMap { group in
            let file = group.isUnified ? "memory.max" : "memory.limit_in_bytes"
            return readingFile("\(group.path)/\(file)").flatMap(limit)
        }.min()
    }

    static func coreCount(readingFile: Reader) -> Int? {
        folders(of: "cpu", readingFile).compactMap { group in
            group.isUnified
                ? unifiedQuota(group.path, readingFile) : legacyQuota(group.path, readingFile)
        }.min()
    }

    /// The folders that may hold a limit of a controller.
    ///
    /// `/proc/self/cgroup` has lines `ID:CONTROLLERS:PATH`. Every group up to the root may have a
    /// limit. Inside a container the path may be the host's and lead nowhere; the root is then the
    /// container's own group.
    private static func folders(
        of controller: Substring,
        _ readingFile: Reader
    ) -> [(path: String, isUnified: Bool)] {
        var folders: [(path: String, isUnified: Bool)] = []
        for line in (readingFile("/proc/self/cgroup") ?? "").split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let isUnified = fields[0] == "0" && fields[1].isEmpty
            guard isUnified || fields[1].split(separator: ",").contains(controller) else {
                continue
            }
            // The folder of a controller has the name of its line, or a link that has its own.
            let roots =
                isUnified
                ? ["/sys/fs/cgroup"]
                : Set(["/sys/fs/cgroup/\(fields[1])", "/sys/fs/cgroup/\(controller)"]).sorted()
            let parts = fields[2].split(separator: "/").map(String.init)
            for root in roots {
                for length in (0...parts.count).reversed() {
                    let path = ([root] + parts.prefix(length)).joined(separator: "/")
                    folders.append((path, isUnified))
                }
            }
        }
        return folders
    }

    /// `cpu.max` holds "QUOTA PERIOD" in microseconds, or "max PERIOD".
    private static func unifiedQuota(_ folder: String, _ read: Reader) -> Int? {
        let words = read("\(folder)/cpu.max")?.split { $0 == " " || $0 == "\n" } ?? []
        return words.count == 2 ? cores(quota: Int(words[0]), period: Int(words[1])) : nil
    }

    private static func legacyQuota(_ folder: String, _ read: Reader) -> Int? {
        func number(_ name: String) -> Int? {
            read("\(folder)/\(name)").flatMap { Int($0.prefix { $0 != "\n" }) }
        }
        return cores(quota: number("cpu.cfs_quota_us"), period: number("cpu.cfs_period_us"))
    }

    private static func cores(quota: Int?, period: Int?) -> Int? {
        guard let quota, let period, quota > 0, period > 0 else { return nil }
        return max(1, quota / period + (quota % period == 0 ? 0 : 1))
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
