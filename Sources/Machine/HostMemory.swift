#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// What memory this process may use: the machine's, its limits', its control group's.
public enum HostMemory {
    /// Half of the RAM, and at most three quarters of what limits and control groups allow.
    ///
    /// The remaining quarter is for code, stacks and small allocations, which no budget counts.
    public static var defaultLimitByteCount: Int {
        var limit = physicalByteCount / 2
        for ceiling in [resourceLimitByteCount, controlGroupLimitByteCount] {
            if let ceiling { limit = min(limit, ceiling / 4 * 3) }
        }
        return limit
    }

    /// The RAM of the machine.
    public static var physicalByteCount: Int {
        let pages = sysconf(Int32(_SC_PHYS_PAGES))
        let pageSize = sysconf(Int32(_SC_PAGESIZE))
        guard pages > 0, pageSize > 0 else { return 1 << 30 }
        let product = pages.multipliedReportingOverflow(by: pageSize)
        return product.overflow ? Int.max : product.partialValue
    }

    /// The smaller of the limits on address space and data, if one is set.
    public static var resourceLimitByteCount: Int? {
        dataAndAddressSpaceLimits.compactMap { $0 }.min()
    }

    /// The limit of the control groups (version 2 and 1) that this process is in, if one is set.
    public static var controlGroupLimitByteCount: Int? {
        ControlGroup.memoryLimitByteCount
    }

    private static var dataAndAddressSpaceLimits: [Int?] {
        #if canImport(Glibc)
        [limit(of: Int32(RLIMIT_AS.rawValue)), limit(of: Int32(RLIMIT_DATA.rawValue))]
        #else
        [limit(of: RLIMIT_AS), limit(of: RLIMIT_DATA)]
        #endif
    }

    private static func limit(of resource: Int32) -> Int? {
        var values = rlimit()
        guard unsafe getrlimit(resource, &values) == 0 else { return nil }
        return Int(exactly: values.rlim_cur).flatMap { $0 == Int.max ? nil : $0 }
    }
}
