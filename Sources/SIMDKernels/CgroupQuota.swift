/// The processor quota of the control group that the process runs in (Linux, cgroup v2 and v1).
enum CgroupQuota {
    /// Returns the quota in whole cores, rounded up; nil if there is none.
    ///
    /// `read` gives the text of a file, or nil if there is no such file.
    static func coreCount(read: (String) -> String?) -> Int? {
        guard let membership = read("/proc/self/cgroup") else { return nil }
        var lowest: Int?
        for line in membership.split(separator: "\n") {
            // Hierarchy number, controllers, path.
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let isUnified = fields[0] == "0" && fields[1].isEmpty
            guard isUnified || fields[1].split(separator: ",").contains("cpu") else { continue }
            let root = isUnified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/\(fields[1])"
            // Every group up to the root may have a quota. Inside a container the path may be the
            // host's and lead nowhere; the root is then the container's own group.
            var path = fields[2].split(separator: "/")
            while true {
                let folder = ([root] + path.map(String.init)).joined(separator: "/")
                let quota = isUnified ? unifiedQuota(folder, read) : legacyQuota(folder, read)
                if let quota { lowest = min(quota, lowest ?? quota) }
                if path.popLast() == nil { break }
            }
        }
        return lowest
    }

    /// `cpu.max` holds "QUOTA PERIOD" in microseconds, or "max PERIOD".
    private static func unifiedQuota(_ folder: String, _ read: (String) -> String?) -> Int? {
        let words = read("\(folder)/cpu.max")?.split { $0 == " " || $0 == "\n" } ?? []
        return words.count == 2 ? cores(quota: Int(words[0]), period: Int(words[1])) : nil
    }

    private static func legacyQuota(_ folder: String, _ read: (String) -> String?) -> Int? {
        func number(_ name: String) -> Int? {
            read("\(folder)/\(name)").flatMap { Int($0.prefix { $0 != "\n" }) }
        }
        return cores(quota: number("cpu.cfs_quota_us"), period: number("cpu.cfs_period_us"))
    }

    private static func cores(quota: Int?, period: Int?) -> Int? {
        guard let quota, let period, quota > 0, period > 0 else { return nil }
        return max(1, quota / period + (quota % period == 0 ? 0 : 1))
    }
}
