internal import CSystem
internal import Synchronization
public import Tensors

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// A folder that appears whole or not at all.
///
/// Everything is built in `DST.partial` beside the destination, which only its owner can read and
/// which is locked until the end. `commit()` synchronizes it and renames it into place; any error
/// before that leaves the destination as it was. With a fingerprint a journal records each finished
/// file, and a later run with the same fingerprint continues after them.
public final class OutputFolder: Sendable {
    /// The path that the folder will have.
    public let destination: String
    /// The path that the folder has while it is built.
    public var partialPath: String { place.partialPath }

    let place: OutputPlace
    let folder: Descriptor
    let lockFile: Descriptor
    let overwrites: Bool
    let finalFileMode: mode_t
    let finalFolderMode: mode_t
    let parallel: ParallelLoop
    let budget: MemoryBudget?
    let journal: Journal?
    let state: Mutex<State>

    /// How far it is.
    enum Stage {
        case building
        case committed
        case abandoned
    }

    struct State {
        var stage = Stage.building
        var openFiles: [OutputFile] = []
        /// Files of an earlier run that are whole, by name, with their sizes.
        var resumed: [String: Int] = [:]
    }

    /// Starts an output.
    /// - Parameters:
    ///   - destination: the folder to make; its parent exists.
    ///   - sources: the files and folders that are read: the destination may not be one of them,
    ///     nor lie inside one, nor hold one.
    ///   - overwrite: whether an existing destination is replaced at the end.
    ///   - fingerprint: what decides the bytes; `nil` for an output that is not resumable.
    ///   - resume: whether to keep the finished files of an earlier run.
    ///   - parallel: for digests.
    ///   - budget: what buffers are counted against.
    /// - Throws: `output.insideInput`, `output.exists`, `output.busy`, `output.fingerprint`,
    ///   `file.io`.
    public init(
        at destination: String,
        sources: [String],
        overwrite: Bool = false,
        fingerprint: Fingerprint? = nil,
        resume: Bool = false,
        parallel: ParallelLoop = .serial,
        budget: MemoryBudget? = nil
    ) throws(CheckpointError) {
        self.destination = destination
        self.parallel = parallel
        self.budget = budget
        overwrites = overwrite
        place = try OutputPlace(destination, partialName: { $0 + ".partial" })
        try place.requireOutside(sources)
        try place.requireFree(overwrite: overwrite)
        let modes = OutputModes(sources: sources)
        (finalFileMode, finalFolderMode) = (modes.file, modes.folder)
        cs_ignore_file_size_signal()

        let claim: OutputPlace.Claim
        do throws(CheckpointError) {
            claim = try place.claimFolder()
        } catch {
            guard resume, FileStatus(at: place.partialPath)?.isFolder == true else { throw error }
            throw Self.stillResumable(error)
        }
        (folder, lockFile) = (claim.folder, claim.lockFile)
        var resumed: [String: Int] = [:]
        do throws(CheckpointError) {
            (journal, resumed) = try Self.openJournal(
                in: folder,
                fingerprint: fingerprint,
                resume: resume,
                parallel: parallel,
                budget: budget
            )
        } catch {
            // An earlier run's work stays as it is; a folder made just now goes.
            if claim.isNew {
                place.removeFolder(folder)
            } else {
                _ = folder.remove(OutputPlace.lockName)
                if resume { throw Self.stillResumable(error) }
            }
            throw error
        }
        state = Mutex(State(resumed: resumed))
    }

    /// Returns the error that kept a run from going on, with a word on what is still there.
    private static func stillResumable(_ error: CheckpointError) -> CheckpointError {
        guard error.code == .fileIo || error.code == .limitMemory else { return error }
        var error = error
        let advice = "what was finished before is kept: --resume can try again"
        error.hint = [error.hint, advice].compactMap { $0 }.joined(separator: "; ")
        return error
    }

    deinit {
        if state.withLock({ $0.stage == .building }) { abandon(after: nil) }
    }

    /// The names of the files that an earlier run finished, in order of their bytes.
    public var resumedFileNames: [String] {
        state.withLock { $0.resumed.keys.sorted { Name($0) < Name($1) } }
    }

    /// Whether an earlier run finished this file, so that it need not be written again.
    public func isResumed(_ name: String) -> Bool {
        state.withLock { $0.resumed[name] != nil }
    }

    /// Creates a file in the folder.
    /// - Parameters:
    ///   - name: one plain name, not that of a file that is there already.
    ///   - byteCount: the length if it is known: reserved now, so that a full disk shows at once.
    /// - Returns: the file, empty or zeroed, to be finished before `commit()`.
    /// - Throws: `file.io`.
    public func createFile(
        _ name: String,
        byteCount: Int? = nil
    ) throws(CheckpointError) -> OutputFile {
        precondition(Self.isPlain(name), "not a plain file name: \(name)")
        requireBuilding()
        let descriptor: Descriptor
        switch Descriptor.open(
            name,
            below: folder,
            flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
            name: name
        ) {
        case .success(let opened): descriptor = opened
        case .failure(let failure): throw .systemCall(failure.number, "create the file", file: name)
        }
        let file = try OutputFile(descriptor, finalMode: finalFileMode, byteCount: byteCount)
        state.withLock { $0.openFiles.append(file) }
        return file
    }

    /// Writes a whole small file, for example `config.json`.
    /// - Throws: `file.io`.
    public func writeFile(_ name: String, _ bytes: RawSpan) throws(CheckpointError) {
        let file = try createFile(name, byteCount: bytes.byteCount)
        try file.write(bytes, at: 0)
        try file.finish()
    }

    /// Writes a whole small file that is in an array, for example `config.json`.
    /// - Throws: `file.io`.
    public func writeFile(_ name: String, _ bytes: [UInt8]) throws(CheckpointError) {
        try bytes.withRawSpan { (span) throws(CheckpointError) in try writeFile(name, span) }
    }

    /// Finishes a file and records it in the journal, so that a later run need not repeat it.
    /// - Throws: `file.io`; `limit.memory`.
    public func finishAndRecord(_ file: OutputFile) throws(CheckpointError) {
        requireBuilding()
        guard let journal else { return try file.finish() }
        let byteCount = file.byteCount
        let digest = try PieceDigest(of: file, parallel: parallel, budget: budget)
        try file.finish()
        // The name has to be on the medium before the journal speaks of it.
        try folder.synchronize()
        try journal.append(
            Journal.Entry(file: file.fileName, byteCount: byteCount, digest: digest)
        )
    }

    /// Removes a file that is not wanted in the output after all.
    /// - Throws: `file.io`.
    public func removeFile(_ file: OutputFile) throws(CheckpointError) {
        requireBuilding()
        file.discard()
        try removeEntry(file.fileName)
    }

    func removeEntry(_ name: String) throws(CheckpointError) {
        let failure = folder.remove(name)
        guard failure == 0 || failure == ENOENT else {
            throw .systemCall(failure, "remove", file: name)
        }
    }

    func requireBuilding() {
        state.withLock { precondition($0.stage == .building, "the output is \($0.stage)") }
    }

    static func isPlain(_ name: String) -> Bool {
        let bytes = name.utf8
        return !bytes.isEmpty && bytes.count <= 255 && name != "." && name != ".."
            && !bytes.contains { $0 == 0x2F || $0 < 0x20 || $0 == 0x7F }
            && name != OutputPlace.lockName && name != Journal.fileName
    }
}
