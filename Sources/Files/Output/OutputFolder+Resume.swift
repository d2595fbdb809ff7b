internal import Machine
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

extension OutputFolder {
    /// Clears the temporary folder of everything that does not count, and opens the journal.
    /// - Returns: the journal, and the files of an earlier run that are whole.
    static func openJournal(
        _ content: JournalContent?,
        in claim: OutputPlace.Claim,
        fingerprint: Fingerprint?,
        resume: Bool,
        workers: WorkerPool,
        budget: MemoryBudget?
    ) throws(CheckpointError) -> (journal: Journal?, files: [String: Journal.Entry]) {
        let folder = claim.folder
        guard let fingerprint else {
            try clear(claim, except: [])
            return (nil, [:])
        }
        guard resume, let content else {
            try clear(claim, except: [])
            return (try Journal.create(in: folder, fingerprint: fingerprint), [:])
        }
        try fingerprint.requireEqual(to: content.fingerprint, file: Journal.fileName)
        let whole = Mutex<[String: Journal.Entry]>([:])
        try workers.perform(content.entries.count) { (index, _) throws(CheckpointError) in
            let entry = content.entries[index]
            guard try isWhole(entry, in: folder, budget: budget) else { return }
            whole.withLock { $0[entry.file] = entry }
        }
        let files = whole.withLock { $0 }
        try clear(claim, except: Set(files.keys).union([Journal.fileName]))
        let journal = try Journal.reopen(in: folder, keeping: content)
        for entry in content.entries where files[entry.file] == nil { journal.forget(entry.file) }
        return (journal, files)
    }

    /// Whether a recorded file is still what was recorded.
    private static func isWhole(
        _ entry: Journal.Entry,
        in folder: Descriptor,
        budget: MemoryBudget?
    ) throws(CheckpointError) -> Bool {
        guard
            case .success(let descriptor) = Descriptor.open(
                entry.file,
                below: folder,
                flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
                name: entry.file
            )
        else { return false }
        let status = try descriptor.status()
        guard status.isRegular, status.byteCount == entry.byteCount else { return false }
        let digest = try FileDigest(
            of: DescriptorBytes(descriptor: descriptor, byteCount: entry.byteCount),
            budget: budget
        )
        return digest == entry.digest
    }

    /// Removes what an earlier run left, but for some files.
    private static func clear(
        _ claim: OutputPlace.Claim,
        except kept: Set<String>
    ) throws(CheckpointError) {
        for file in claim.left.files.map(\.path)
        where file != LockFile.fileName && !kept.contains(file) {
            let failure = claim.folder.remove(file)
            guard failure == 0 || failure == ENOENT else {
                throw .systemCall(failure, "remove", file: file)
            }
        }
        let used = FolderContent.parents(of: Array(kept))
        for path in claim.left.folders.reversed() where !used.contains(path) {
            _ = claim.folder.removeFolder(path)
        }
    }
}

/// The bytes of an open file.
struct DescriptorBytes: ByteSource {
    let descriptor: Descriptor
    let byteCount: Int
    var fileName: String { descriptor.name }

    func read(at offset: Int, into bytes: inout MutableRawSpan) throws(CheckpointError) {
        try descriptor.read(at: offset, into: &bytes)
    }
}
