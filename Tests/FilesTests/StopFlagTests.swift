import Foundation
import TestSupport
import Testing

@testable import Files

@Suite struct StopFlagTests {
    @Test func throwsOnceItIsSet() throws {
        let flag = StopFlag()
        try flag.check()
        flag.request()
        let error = try expectError(.outputStopped) { try flag.check() }
        #expect(error.code.category == .stopped)
    }

    @Test func isSetByTheFirstInterruptAndEndsAtTheSecond() async {
        await #expect(processExitsWith: .exitCode(130)) {
            let flag = StopFlag(followingSignals: true)
            let other = StopFlag()
            StopFlag.catchSignals()
            try #require(!flag.isSet)
            send(SIGINT)
            try #require(flag.isSet)
            // Only those who asked follow signals.
            try #require(!other.isSet)
            send(SIGINT)
            exit(1)
        }
    }

    @Test func isSetByTerminationAsOftenAsItComes() async {
        await #expect(processExitsWith: .exitCode(75)) {
            let flag = StopFlag(followingSignals: true)
            StopFlag.catchSignals()
            send(SIGTERM)
            send(SIGTERM)
            try #require(flag.isSet)
            send(SIGINT)
            try #require(flag.isSet)
            exit(75)
        }
        await #expect(processExitsWith: .exitCode(130)) {
            StopFlag.catchSignals()
            send(SIGTERM)
            send(SIGINT)
            send(SIGINT)
            exit(1)
        }
    }

    @Test func turnsAClosedPipeIntoAnError() async {
        await #expect(processExitsWith: .success) {
            StopFlag.catchSignals()
            var ends: [Int32] = [0, 0]
            try #require(pipe(&ends) == 0)
            close(ends[0])
            #expect(write(ends[1], "x", 1) == -1)
            #expect(errno == EPIPE)
        }
    }
}

/// Sends this process a signal and gives it time to arrive: the threads of a pool block signals,
/// so another thread gets it.
private func send(_ signal: Int32) {
    kill(getpid(), signal)
    usleep(100_000)
}
