@testable import SIMDKernels
import Testing

@Suite struct CgroupQuotaTests {
    private func coreCount(_ files: [String: String]) -> Int? {
        CgroupQuota.coreCount { files[$0] }
    }

    @Test func findsNoneWithoutControlGroups() {
        #expect(coreCount([:]) == nil)
        #expect(coreCount(["/proc/self/cgroup": "0::/\n"]) == nil)
        #expect(coreCount(["/proc/self/cgroup": "nonsense"]) == nil)
    }

    @Test func readsTheUnifiedQuotaRoundedUp() {
        let group = ["/proc/self/cgroup": "0::/\n"]
        for (text, cores) in [("150000 100000\n", 2), ("200000 100000\n", 2), ("1000 100000\n", 1)]
        {
            #expect(coreCount(group.merging(["/sys/fs/cgroup/cpu.max": text]) { $1 }) == cores)
        }
        for text in ["max 100000\n", "", "5", "0 0\n", "-1 100000\n", "x y\n"] {
            #expect(coreCount(group.merging(["/sys/fs/cgroup/cpu.max": text]) { $1 }) == nil)
        }
    }

    @Test func takesTheLowestQuotaOnTheWayToTheRoot() {
        let files = [
            "/proc/self/cgroup": "0::/a/b\n",
            "/sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
            "/sys/fs/cgroup/a/cpu.max": "300000 100000\n",
            "/sys/fs/cgroup/cpu.max": "800000 100000\n",
        ]
        #expect(coreCount(files) == 3)
    }

    @Test func readsTheQuotaOfTheFirstVersion() {
        let files = [
            "/proc/self/cgroup": "5:memory:/x\n4:cpu,cpuacct:/x\n",
            "/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "400000\n",
            "/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000\n",
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        ]
        #expect(coreCount(files) == 4)
    }

    @Test func countsAtLeastOneCore() {
        #expect(AvailableCores.count >= 1)
    }
}
