internal import Tensors

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

extension OutputFolder {
    /// Clears the temporary folder of everything that does not count, and opens the journal.
    /// - Returns: the journal, and the sizes of the files of an earlier run that are whole.
    static func openJournal(
        in folder: Descriptor,
        fingerprint: Fingerprint?,
        resume: Bool,
        parallel: ParallelLoop,
        budget: MemoryBudget?
    ) throws(CheckpointError) -> (Journal?, [String: Int]) {
        guard let fingerprint else {
            try clear(folder, except: [])
            return (nil, [:])
        }
        guard resume, let content = try JournalContent(in: folder) else {
            try clear(folder, except: [])
            return (try Journal.create(in: folder, fingerprint: fingerprint), [:])
        }
        try fingerprint.requireEqual(to: content.fingerprint, file: Journal.fileName)
        var sound: [String: Int] = [:]
        for entry in content.entries
        where try isWhole(entry, in: folder, parallel: parallel, budget: budget) {
            sound[entry.file] = entry.byteCount
        }
        try clear(folder, except: Set(sound.keys).union([Journal.fileName]))
        let journal = try Journal.reopen(in: folder, keeping: content)
        for entry in content.entries where sound[entry.file] == nil { journal.forget(entry.file) }
        return (journal, sound)
    }

    /// Whether a recorded file is still what was recorded.
    private static func isWhole(
        _ entry: Journal.Entry,
        in folder: Descriptor,
        parallel: ParallelLoop,
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
        let digest = try PieceDigest(
            of: DescriptorBytes(descriptor: descriptor, byteCount: entry.byteCount),
            parallel: parallel,
            budget: budget
        )
        return digest == entry.digest
    }

    private static func clear(
        _ folder: Descriptor,
        except kept: Set<String>
    ) throws(CheckpointError) {
        for entry in try folder.entries()
        where entry != OutputPlace.lockName && !kept.contains(entry) {
            let failure = folder.remove(entry)
            guard failure == 0 || failure == ENOENT else {
                throw .systemCall(failure, "remove", file: entry)
            }
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
