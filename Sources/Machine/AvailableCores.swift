internal import CSystem

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// How many cores this process may use.
public enum AvailableCores {
    /// The cores in the affinity mask, or fewer if the quota of a control group allows less.
    ///
    /// At least 1. Read once.
    public static let count = max(1, min(coreCount, ControlGroup.coreCount ?? .max))

    private static var coreCount: Int {
        let affinityCount = Int(cs_affinity_count())
        return affinityCount > 0 ? affinityCount : Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }
}
