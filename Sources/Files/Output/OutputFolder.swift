package import Machine
internal import Synchronization

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
package final class OutputFolder: Sendable {
    /// The path that the folder will have.
    package let destination: String
    /// The path that the folder has while it is built.
    package var partialPath: String { place.partialPath }

    let place: OutputPlace
    let folder: Descriptor
    let lockFile: LockFile
    let overwrites: Bool
    /// What the folder to be replaced held when this run began; nil if there was none.
    let replaced: FolderContent?
    let finalFileMode: mode_t
    let finalFolderMode: mode_t
    let workers: WorkerPool
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
        /// Files of an earlier run that are whole, by name.
        var resumed: [String: Journal.Entry] = [:]
        /// Everything that may have been made here, by path.
        var announced: Set<String> = []
        /// The digests of finished files, by path.
        var digests: [String: FileDigest] = [:]
    }

    /// Starts an output.
    /// - Parameters:
    ///   - destination: the folder to make; its parent exists.
    ///   - sources: the files and folders that are read: the destination may not be one of them,
    ///     nor lie inside one, nor hold one.
    ///   - overwrite: whether an earlier output at the destination is replaced at the end, and a
    ///     stopped run is thrown away. Anything else at the destination is never replaced.
    ///   - fingerprint: what decides the bytes; `nil` for an output that is not resumable.
    ///   - resume: whether to keep the finished files of an earlier run.
    ///   - workers: for digests.
    ///   - budget: what buffers are counted against.
    /// - Throws: `output.insideInput`, `output.exists`, `output.unfinished`, `output.busy`,
    ///   `output.fingerprint`, `file.io`.
    package init(
        at destination: String,
        sources: [String],
        overwrite: Bool = false,
        fingerprint: Fingerprint? = nil,
        resume: Bool = false,
        workers: WorkerPool = .single,
        budget: MemoryBudget? = nil
    ) throws(CheckpointError) {
        self.destination = destination
        self.workers = workers
        self.budget = budget
        overwrites = overwrite
        place = try OutputPlace(destination, partialName: { $0 + ".partial" })
        try place.requireOutside(sources)
        replaced = try place.requireReplaceable(overwrite: overwrite, workers: workers)
        let modes = OutputModes(sources: sources)
        (finalFileMode, finalFolderMode) = (modes.file, modes.folder)

        let claim: OutputPlace.Claim
        do throws(CheckpointError) {
            claim = try place.claimFolder()
        } catch {
            guard resume, FileStatus(at: place.partialPath)?.isFolder == true else { throw error }
            throw Self.stillResumable(error)
        }
        (folder, lockFile) = (claim.folder, claim.lockFile)
        var state = State()
        do throws(CheckpointError) {
            let content = try JournalContent(in: folder)
            if let content, !resume, !overwrite { try place.requireNothingFinished(content) }
            let kept = try Self.openJournal(
                content,
                in: claim,
                fingerprint: fingerprint,
                resume: resume,
                workers: workers,
                budget: budget
            )
            (journal, state.resumed) = (kept.journal, kept.files)
            state.announced = Set(kept.files.keys)
            state.digests = kept.files.mapValues(\.digest)
        } catch {
            // An earlier run's work stays as it is, with the lock that says what is its own; a
            // folder made just now goes.
            if !claim.left.files.contains(where: { $0.path == LockFile.fileName }) {
                _ = folder.remove(LockFile.fileName)
            }
            if claim.isNew {
                let own = [Journal.fileName]
                let content = try? FolderContent(of: folder).filter(own.contains)
                _ = place.removeFolder(folder, holding: content ?? FolderContent())
            } else if resume {
                throw Self.stillResumable(error)
            }
            throw error
        }
        self.state = Mutex(state)
    }

    /// Returns the error that kept a run from going on, with a word on what is still there.
    private static func stillResumable(_ error: CheckpointError) -> CheckpointError {
        guard error.code == .fileIo || error.code == .limitMemory else { return error }
        var error = error
        let advice = "what was finished before is kept: `resumes` can try again"
        error.hint = [error.hint, advice].compactMap { $0 }.joined(separator: "; ")
        return error
    }

    deinit {
        if state.withLock({ $0.stage == .building }) { abandon(after: nil) }
    }

    /// The names of the files that an earlier run finished, in order of their bytes.
    package var resumedFileNames: [String] {
        state.withLock { $0.resumed.keys.sorted { Name($0) < Name($1) } }
    }

    /// Whether an earlier run finished this file, so that it need not be written again.
    package func isResumed(_ name: String) -> Bool {
        state.withLock { $0.resumed[name] != nil }
    }

    /// What was recorded with a file that an earlier run finished; nil if nothing was.
    package func resumedNote(of name: String) -> JSONObject? {
        state.withLock { $0.resumed[name]?.note }
    }

    /// Says which files are going to be made: one step for many, where each would take one of its
    /// own when it is created.
    ///
    /// What a killed run left is cleared by the next one only if it was announced.
    /// - Throws: `file.io`.
    package func announce(_ names: [String]) throws(CheckpointError) {
        requireBuilding()
        let new = state.withLock { state in
            let new = names.filter { !state.announced.contains($0) }
            state.announced.formUnion(new)
            return new
        }
        try lockFile.announce(new)
    }

    /// Checks that files of so many bytes in all find room, so that work of hours does not end with a full
    /// disk.
    /// - Throws: `file.io`.
    package func requireRoom(for byteCount: Int) throws(CheckpointError) {
        guard let free = folder.freeByteCount, free < byteCount else { return }
        var error = CheckpointError.systemCall(
            ENOSPC,
            "write all files",
            file: folder.name
        )
        error.expected = "\(byteCount) bytes of free space"
        error.found = "\(free)"
        throw error
    }

    /// Creates a file in the folder.
    /// - Parameters:
    ///   - name: one plain name, or several with `/` between them for a file in a folder below; not
    ///     that of a file that is there already.
    ///   - byteCount: the length if it is known: reserved now, so that a full disk shows at once.
    /// - Returns: the file, empty or zeroed, to be finished before `commit()`.
    /// - Throws: `file.io`.
    package func createFile(
        _ name: String,
        byteCount: Int? = nil
    ) throws(CheckpointError) -> OutputFile {
        precondition(Self.isPlain(name), "not a plain file name: \(name)")
        requireBuilding()
        try announce([name])
        for parent in FolderContent.parents(of: [name]).sorted() { try folder.makeFolder(parent) }
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
    package func writeFile(_ name: String, _ bytes: RawSpan) throws(CheckpointError) {
        let file = try createFile(name, byteCount: bytes.byteCount)
        try file.write(bytes, at: 0)
        try file.finish()
    }

    /// Writes a whole small file that is in an array, for example `config.json`.
    /// - Throws: `file.io`.
    package func writeFile(_ name: String, _ bytes: [UInt8]) throws(CheckpointError) {
        try bytes.withRawSpan { (span) throws(CheckpointError) in try writeFile(name, span) }
    }

    /// Finishes a file and records it in the journal, so that a later run need not repeat it.
    /// - Parameters:
    ///   - file: a file of this output.
    ///   - note: what a later run wants to know of it; see `resumedNote(of:)`.
    /// - Throws: `file.io`; `limit.memory`.
    package func finishAndRecord(
        _ file: OutputFile,
        note: JSONObject? = nil
    ) throws(CheckpointError) {
        requireBuilding()
        let byteCount = file.byteCount
        let digest = try digestWhileSynchronizing(file)
        try file.finish()
        state.withLock { $0.digests[file.fileName] = digest }
        guard let journal else { return }
        // The name has to be on the medium before the journal speaks of it.
        try folder.synchronize()
        try journal.append(
            Journal.Entry(file: file.fileName, byteCount: byteCount, digest: digest, note: note)
        )
    }

    /// Computes the digest of a file while the medium is busy with it.
    private func digestWhileSynchronizing(
        _ file: OutputFile
    ) throws(CheckpointError) -> FileDigest {
        let result = Mutex<FileDigest?>(nil)
        let budget = budget
        try workers.perform(2) { (index, _) throws(CheckpointError) in
            guard index == 0 else { return try file.synchronize() }
            let digest = try FileDigest(of: file, budget: budget)
            result.withLock { $0 = digest }
        }
        guard let digest = result.withLock({ $0 }) else {
            preconditionFailure("the loop left an iteration out")
        }
        return digest
    }

    /// Removes a file that is not wanted in the output after all.
    /// - Throws: `file.io`.
    package func removeFile(_ file: OutputFile) throws(CheckpointError) {
        requireBuilding()
        file.discard()
        try removeEntry(file.fileName)
        state.withLock { state in
            state.openFiles.removeAll { $0 === file }
            state.digests[file.fileName] = nil
        }
    }

    /// Removes a finished file that other files were made of; one that is gone already is all right.
    /// - Throws: `file.io`.
    package func removeFile(named name: String) throws(CheckpointError) {
        requireBuilding()
        try removeEntry(name)
        journal?.forget(name)
        state.withLock { state in
            state.openFiles.removeAll { $0.fileName == name }
            state.resumed[name] = nil
            state.digests[name] = nil
        }
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

    /// Whether a path below the folder is one that a file of an output may have.
    package static func isPlain(_ path: String) -> Bool {
        let reserved = [LockFile.fileName, Journal.fileName, ChecksumFile.fileName]
        return !reserved.contains(path)
            && path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { name in
                let bytes = name.utf8
                return !bytes.isEmpty && bytes.count <= 255 && name != "." && name != ".."
                    && !bytes.contains { $0 < 0x20 || $0 == 0x7F }
            }
    }
}
