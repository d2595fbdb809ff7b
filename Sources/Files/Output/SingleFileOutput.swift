internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// One file that appears whole or not at all: built as `.NAME.partial` beside its destination.
package final class SingleFileOutput: Sendable {
    /// The path that the file will have.
    package let destination: String
    /// The file to write to.
    package let file: OutputFile
    private let place: OutputPlace
    private let replaces: Bool
    private let isDone = Mutex(false)

    /// Starts a file.
    /// - Parameters:
    ///   - destination: the file to make; its folder exists.
    ///   - sources: the files and folders that are read: the destination may not be one of them,
    ///     nor lie inside one.
    ///   - isReplaceable: says of a file that is there already, by its content, whether it may be
    ///     replaced at the end; nil replaces nothing.
    ///   - byteCount: the length if it is known: reserved now.
    /// - Throws: `output.insideInput`, `output.exists`, `output.busy`, `file.io`.
    package init(
        at destination: String,
        sources: [String],
        isReplaceable: ((any ByteSource) throws(CheckpointError) -> Bool)? = nil,
        byteCount: Int? = nil
    ) throws(CheckpointError) {
        self.destination = destination
        place = try OutputPlace(destination, partialName: { ".\($0).partial" })
        try place.requireOutside(sources)
        replaces = FileStatus(at: place.destination) != nil
        if replaces { try Self.requireReplaceable(place, isReplaceable) }
        let descriptor = try place.claimFile()
        do throws(CheckpointError) {
            file = try OutputFile(
                descriptor,
                finalMode: OutputModes(sources: sources).file,
                byteCount: byteCount
            )
        } catch {
            _ = place.removeFile()
            throw error
        }
    }

    deinit { abandon() }

    /// Finishes the file and puts it into place: there, whole and on the medium.
    ///
    /// On an error the destination is as it was before; then `abandon()` removes the rest.
    /// - Throws: `output.exists` if the destination appeared meanwhile, `file.io`.
    package func commit() throws(CheckpointError) {
        if !file.isFinished { try file.finish() }
        try place.putIntoPlace(replaces: replaces && FileStatus(at: place.destination) != nil)
        isDone.withLock { $0 = true }
        if replaces { _ = place.removeFile() }
    }

    /// Throws unless what is at the destination may go.
    private static func requireReplaceable(
        _ place: OutputPlace,
        _ isReplaceable: ((any ByteSource) throws(CheckpointError) -> Bool)?
    ) throws(CheckpointError) {
        guard let isReplaceable else { throw place.existsError("it exists already", hint: nil) }
        let opened = Descriptor.open(
            place.destination,
            flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
            name: place.name
        )
        guard case .success(let file) = opened, let status = try? file.status(), status.isRegular
        else { throw place.existsError("it is not a regular file", hint: "name another file") }
        let bytes = DescriptorBytes(descriptor: file, byteCount: status.byteCount)
        guard try isReplaceable(bytes) else {
            throw place.existsError(
                "it was not written by this tool, and is kept",
                hint: "name another file, or remove it yourself"
            )
        }
    }

    /// Gives the file up and removes it.
    package func abandon() {
        let wasDone = isDone.withLock { isDone in
            defer { isDone = true }
            return isDone
        }
        guard !wasDone else { return }
        file.discard()
        _ = place.removeFile()
    }
}
