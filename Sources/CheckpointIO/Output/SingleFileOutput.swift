internal import CSystem
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// One file that appears whole or not at all: built as `.NAME.partial` beside its destination.
public final class SingleFileOutput: Sendable {
    /// The path that the file will have.
    public let destination: String
    /// The file to write to.
    public let file: OutputFile
    private let place: OutputPlace
    private let overwrites: Bool
    private let isDone = Mutex(false)

    /// Starts a file.
    /// - Parameters:
    ///   - destination: the file to make; its folder exists.
    ///   - sources: the files and folders that are read: the destination may not be one of them,
    ///     nor lie inside one.
    ///   - overwrite: whether an existing file is replaced at the end.
    ///   - byteCount: the length if it is known: reserved now.
    /// - Throws: `output.insideInput`, `output.exists`, `output.busy`, `file.io`.
    public init(
        at destination: String,
        sources: [String],
        overwrite: Bool = false,
        byteCount: Int? = nil
    ) throws(CheckpointError) {
        self.destination = destination
        overwrites = overwrite
        place = try OutputPlace(destination, partialName: { ".\($0).partial" })
        try place.requireOutside(sources)
        try place.requireFree(overwrite: overwrite)
        if overwrite, let there = FileStatus(at: place.destination), there.isFolder {
            throw place.existsError("it is a folder", hint: "name a file")
        }
        cs_ignore_file_size_signal()
        let descriptor = try place.claimFile()
        do throws(CheckpointError) {
            file = try OutputFile(
                descriptor,
                finalMode: OutputModes(sources: sources).file,
                byteCount: byteCount
            )
        } catch {
            _ = place.removeTree()
            throw error
        }
    }

    deinit { abandon() }

    /// Finishes the file and puts it into place: there, whole and on the medium.
    ///
    /// On an error the destination is as it was before; then `abandon()` removes the rest.
    /// - Throws: `output.exists` if the destination appeared meanwhile, `file.io`.
    public func commit() throws(CheckpointError) {
        if !file.isFinished { try file.finish() }
        let replaces = try place.putIntoPlace(overwrite: overwrites)
        isDone.withLock { $0 = true }
        if replaces { _ = place.removeTree() }
    }

    /// Gives the file up and removes it.
    public func abandon() {
        let wasDone = isDone.withLock { isDone in
            defer { isDone = true }
            return isDone
        }
        guard !wasDone else { return }
        file.discard()
        _ = place.removeTree()
    }
}
