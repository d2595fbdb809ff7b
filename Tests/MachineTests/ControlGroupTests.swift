@testable import Machine
import Testing

@Suite struct ControlGroupTests {
    private func coreCount(_ files: [String: String]) -> Int? {
        ControlGroup.coreCount { files[$0] }
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

@Suite struct MemoryLimitTests {
    private func limit(_ membership: String, _ files: [String: String]) -> Int? {
        ControlGroup.memoryLimitByteCount {
            $0 == "/proc/self/cgroup" ? membership : files[$0]
        }
    }

    @Test func takesTheSmallestLimitUpTheTree() {
        let files = [
            "/sys/fs/cgroup/user/job/memory.max": "max\n",
            "/sys/fs/cgroup/user/memory.max": "4096\n",
            "/sys/fs/cgroup/memory.max": "1048576\n",
        ]
        #expect(limit("0::/user/job\n", files) == 4096)
        #expect(limit("0::/\n", files) == 1_048_576)
        #expect(limit("0::/elsewhere\n", [:]) == nil)
    }

    @Test func readsVersionOne() {
        let files = [
            "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "300\n",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        ]
        #expect(limit("5:cpu,memory:/a\n4:pids:/b\n", files) == 300)
        #expect(limit("5:memory:/c\n", files) == nil)
        #expect(limit("5:cpu:/a\nnonsense\n\n", files) == nil)
    }

    @Test func ignoresTextThatIsNoNumber() {
        for text in ["", "max", "-5", "1e9 ", "99999999999999999999"] {
            #expect(limit("0::/", ["/sys/fs/cgroup/memory.max": text]).map { $0 > 0 } != false)
        }
        #expect(limit("0::/", ["/sys/fs/cgroup/memory.max": "99999999999999999999"]) == nil)
    }
}
