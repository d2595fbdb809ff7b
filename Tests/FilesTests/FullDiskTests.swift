import Foundation
import TestSupport
import Testing

@testable import Files

@Suite struct FullDiskTests {
    @Test func reportsALimitOnFileSizesBeforeAnythingIsWritten() async {
        // In a process of its own: the limit is the process's.
        await #expect(processExitsWith: .success) {
            // The signal would end the process, and is not ignored for it.
            signal(SIGXFSZ, SIG_DFL)
            var limits = rlimit(rlim_cur: 100_000, rlim_max: 100_000)
            #if canImport(Glibc)
            try #require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limits) == 0)
            #else
            try #require(setrlimit(RLIMIT_FSIZE, &limits) == 0)
            #endif
            let folder = try TemporaryFolder()
            let output = try OutputFolder(at: folder("out"), sources: [])
            let error = try expectError(.fileIo) {
                try output.createFile("large", byteCount: 100_001)
            }
            #expect(error.systemError == EFBIG)
            #expect(error.file == "large")
            let growing = try output.createFile("growing")
            let late = try expectError(.fileIo) {
                try [UInt8](repeating: 1, count: 200_000).withRawSpan {
                    try growing.write($0, at: 0)
                }
            }
            #expect(late.systemError == EFBIG)
            output.abandon(after: late)
            let single = try SingleFileOutput(at: folder("single"), sources: [])
            try expectError(.fileIo) {
                try [UInt8](repeating: 1, count: 200_000).withRawSpan {
                    try single.file.write($0, at: 0)
                }
            }
            single.abandon()
            // What was set before is what is found now.
            #expect(signal(SIGXFSZ, SIG_DFL) == nil)
            #expect(try folder.listing() == [])
        }
    }

    #if os(Linux)
    @Test func reportsAFullDisk() throws {
        // /dev/full fails every write with ENOSPC.
        let opened = Descriptor.open("/dev/full", flags: O_WRONLY, name: "x")
        let descriptor = try opened.get()
        let error = try expectError(.fileIo) {
            try [1].withRawSpan { try descriptor.write($0, at: 0) }
        }
        #expect(error.systemError == ENOSPC)
        #expect(error.hint != nil)
        #expect(error.code.category == .inputOutput)
    }
    #endif
}
