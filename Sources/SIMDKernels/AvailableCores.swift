internal import CSIMDKernels

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// How many cores this process may use.
package enum AvailableCores {
    /// The cores in the affinity mask, or fewer if the quota of a control group allows less.
    ///
    /// At least 1. Read once.
    package static let count = max(1, min(coreCount, CgroupQuota.coreCount(read: text) ?? .max))

    private static var coreCount: Int {
        let affinityCount = Int(qk_affinity_count())
        return affinityCount > 0 ? affinityCount : Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }

    /// Returns the first 4 KiB of a file of the system; nil if it cannot be read.
    private static func text(of path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { _ = close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { return nil }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
