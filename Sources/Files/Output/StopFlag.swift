internal import CSystem
internal import Synchronization

/// A request to stop soon, set by a signal or by the program, looked at between tiles of work.
public final class StopFlag: Sendable {
    private let isRequested = Atomic<Bool>(false)
    private let followsSignals: Bool

    /// Makes a flag.
    /// - Parameter followingSignals: whether SIGTERM and the first SIGINT set it; they do so only
    ///   after `catchSignals()`.
    public init(followingSignals: Bool = false) {
        followsSignals = followingSignals
    }

    /// From now on SIGTERM and the first SIGINT ask to stop, and a second SIGINT ends the process
    /// at once with status 130; SIGXFSZ and SIGPIPE become errors of the calls at fault.
    ///
    /// For programs; a library never changes how a process treats signals.
    public static func catchSignals() {
        cs_catch_stop_signals()
    }

    /// Lets SIGINT and SIGTERM end the process again, and forgets one that asked to stop: for programs
    /// that wait for somebody between two pieces of work.
    public static func releaseSignals() {
        cs_release_stop_signals()
    }

    /// Asks to stop.
    public func request() {
        isRequested.store(true, ordering: .relaxed)
    }

    /// Whether somebody asked to stop.
    public var isSet: Bool {
        isRequested.load(ordering: .relaxed) || (followsSignals && cs_stop_signal() != 0)
    }

    /// Throws if somebody asked to stop.
    /// - Throws: `output.stopped`.
    public func check() throws(CheckpointError) {
        guard isSet else { return }
        throw CheckpointError(.outputStopped, "stopped before the end")
    }
}
