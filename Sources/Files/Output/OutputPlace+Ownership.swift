internal import Machine

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

// What may be replaced or removed: only what this library made and nobody has changed since.
extension OutputPlace {
    /// Throws if something is at the destination, unless it is an earlier output, whole and
    /// unchanged, and may be replaced.
    /// - Returns: what the output to be replaced holds; nil if nothing is there.
    /// - Throws: `output.exists`, which names the first file that nobody would get back.
    func requireReplaceable(
        overwrite: Bool,
        workers: WorkerPool = .single
    ) throws(CheckpointError) -> FolderContent? {
        guard let status = FileStatus(at: destination) else { return nil }
        guard overwrite else {
            throw existsError("it exists already", hint: "`overwrites` replaces an earlier result")
        }
        guard status.isFolder else { throw existsError("it is not a folder", hint: Self.elsewhere) }
        guard
            case .success(let folder) = Descriptor.open(
                destination,
                flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                name: name
            )
        else { throw existsError("it is a folder that cannot be read", hint: nil) }
        return try ownContent(of: folder, workers: workers)
    }

    /// Returns everything in a folder that an output made and nobody changed since.
    private func ownContent(
        of folder: Descriptor,
        workers: WorkerPool
    ) throws(CheckpointError) -> FolderContent {
        let sums = checksums(of: folder)
        let digests = Dictionary(
            (sums?.entries ?? []).map { ($0.path, $0.digest) },
            uniquingKeysWith: { first, _ in first }
        )
        let parents = FolderContent.parents(of: Array(digests.keys))
        let content = try FolderContent(of: folder) { (path, status) throws(CheckpointError) in
            let isOwn =
                status.isFolder
                ? parents.contains(path)
                : status.isRegular
                    && (digests[path] != nil || (sums != nil && path == ChecksumFile.fileName))
            guard !isOwn else { return }
            throw existsError(
                "it holds \"\(Name.printable(path))\", which no conversion wrote",
                hint: Self.elsewhere
            )
        }
        let files = content.files.filter { $0.path != ChecksumFile.fileName }
        try workers.perform(files.count) { (index, _) throws(CheckpointError) in
            let path = files[index].path
            guard try !isUnchanged(path, in: folder, digests[path]) else { return }
            throw existsError(
                "\"\(Name.printable(path))\" was changed after it was written",
                hint: Self.elsewhere
            )
        }
        return content
    }

    private func isUnchanged(
        _ path: String,
        in folder: Descriptor,
        _ digest: FileDigest?
    ) throws(CheckpointError) -> Bool {
        guard
            case .success(let file) = Descriptor.open(
                path,
                below: folder,
                flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
                name: path
            )
        else { return false }
        let bytes = DescriptorBytes(descriptor: file, byteCount: try file.status().byteCount)
        return try FileDigest(of: bytes) == digest
    }

    /// The list of digests of a folder that this library wrote; nil if there is none.
    private func checksums(of folder: Descriptor) -> ChecksumFile? {
        guard
            case .success(let file) = Descriptor.open(
                ChecksumFile.fileName,
                below: folder,
                flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
                name: ChecksumFile.fileName
            ), let status = try? file.status(), status.isRegular,
            status.byteCount <= ChecksumFile.byteCountLimit,
            let text = try? DescriptorBytes(descriptor: file, byteCount: status.byteCount)
                .bytes(in: 0..<status.byteCount),
            let sums = try? ChecksumFile(parsing: text), sums.isMarked
        else { return nil }
        return sums
    }

    private static let elsewhere =
        "move it away or remove it yourself, or name another destination; `overwrites` replaces only"
        + " what an earlier run wrote"

    // MARK: The temporary folder

    /// Returns what an earlier run left in the temporary folder.
    /// - Throws: `output.exists` if something there was not made by this library.
    func leftContent(in folder: Descriptor) throws(CheckpointError) -> FolderContent {
        let lock = LockFile.content(in: folder)
        let journal = try JournalContent(in: folder)
        guard lock != nil || journal != nil else {
            // A whole output, or one that was replaced: killed between the last steps.
            do throws(CheckpointError) {
                return try ownContent(of: folder, workers: .single)
            } catch {
                var error = error
                error.file = partialPath
                throw error
            }
        }
        var own = Set(lock?.paths ?? [])
        own.formUnion(journal?.entries.map(\.file) ?? [])
        let parents = FolderContent.parents(of: Array(own))
        own.insert(Journal.fileName)
        if lock != nil { own.insert(LockFile.fileName) }
        return try FolderContent(of: folder) { (path, status) throws(CheckpointError) in
            guard status.isFolder ? !parents.contains(path) : !own.contains(path) else { return }
            throw inTheWay(holding: path)
        }
    }

    /// Throws if a stopped run had finished something, which would be lost.
    /// - Throws: `output.unfinished`.
    func requireNothingFinished(_ journal: JournalContent) throws(CheckpointError) {
        guard !journal.entries.isEmpty else { return }
        let files = journal.entries.count == 1 ? "1 file" : "\(journal.entries.count) files"
        throw CheckpointError(
            .outputUnfinished,
            "a stopped run had finished \(files) of it",
            file: destination,
            hint: "`resumes` continues that run, `overwrites` starts anew"
        )
    }

    /// Throws if what is at the temporary path would keep an output from being started.
    /// - Throws: `output.exists`, `output.unfinished`.
    func requireOwnLeftovers(overwrite: Bool, resume: Bool) throws(CheckpointError) {
        guard let status = FileStatus(at: partialPath) else { return }
        guard status.isFolder,
            case .success(let folder) = Descriptor.open(
                partialPath,
                flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                name: name
            )
        else { throw inTheWay() }
        _ = try leftContent(in: folder)
        guard !resume, !overwrite, let journal = try JournalContent(in: folder) else { return }
        try requireNothingFinished(journal)
    }

    /// The error for something at the temporary path that is none of ours.
    func inTheWay(holding path: String? = nil) -> CheckpointError {
        CheckpointError(
            .outputExists,
            path.map { "it holds \"\(Name.printable($0))\", which no unfinished run wrote" }
                ?? "something that is no output of this library is at the temporary path",
            file: partialPath,
            hint: "remove it yourself, or name another destination"
        )
    }

    // MARK: Removing

    /// Removes a folder at the temporary path that holds these files; what else is in it stays, and
    /// then the folder does.
    /// - Returns: why it is still there.
    func removeFolder(_ folder: Descriptor, holding content: FolderContent) -> CheckpointError? {
        content.remove(from: folder)
        // Only the folder itself: another process may have made a new one by now.
        guard FileStatus(at: partialPath)?.identity == (try? folder.status())?.identity else {
            return nil
        }
        while unsafe rmdir(partialPath) != 0 {
            if errno == ENOTEMPTY || errno == EEXIST {
                return CheckpointError(
                    .outputExists,
                    "files that appeared in the replaced folder meanwhile are kept here",
                    file: partialPath
                )
            }
            if errno != EINTR {
                return .systemCall(errno, "remove what was replaced", file: partialPath)
            }
        }
        return nil
    }
}

extension FolderContent {
    /// The folders in which files with these paths lie.
    static func parents(of paths: [String]) -> Set<String> {
        var parents: Set<String> = []
        for path in paths {
            var components = path.split(separator: "/", omittingEmptySubsequences: false)
            while components.count > 1 {
                components.removeLast()
                parents.insert(components.joined(separator: "/"))
            }
        }
        return parents
    }
}
