#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

extension OutputPlace {
    /// A temporary folder that nobody else is using.
    struct Claim {
        let folder: Descriptor
        let lockFile: LockFile
        /// Whether it was made just now.
        let isNew: Bool
        /// What an earlier run left in it.
        let left: FolderContent
    }

    /// Makes the temporary folder, or takes over one that a dead process left, and locks it.
    ///
    /// Two locks: the file `lock` says who is at work; the folder's own lock goes with it when it
    /// is renamed, so nobody can take it for stale in the last moment.
    /// - Throws: `output.busy`, `output.exists` if what is there was not made by this library,
    ///   `file.io`.
    func claimFolder() throws(CheckpointError) -> Claim {
        while true {
            let isNew = try makeFolder()
            let folder: Descriptor
            switch Descriptor.open(
                partialPath,
                flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                name: name + ".partial"
            ) {
            case .success(let opened): folder = opened
            case .failure(let failure) where failure.number == ENOENT: continue
            case .failure(let failure)
            where failure.number == ENOTDIR || failure.number == ELOOP:
                throw inTheWay()
            case .failure(let failure):
                throw .systemCall(failure.number, "open the temporary folder", file: partialPath)
            }
            let failure = folder.lock()
            if failure == EWOULDBLOCK { throw busy(folder) }
            // Between opening and locking, its owner may have renamed or removed it.
            guard FileStatus(at: partialPath)?.identity == (try folder.status()).identity else {
                continue
            }
            do throws(CheckpointError) {
                let left = try leftContent(in: folder)
                let lockFile = try lockFile(in: folder, paths: left.files.map(\.path))
                return Claim(folder: folder, lockFile: lockFile, isNew: isNew, left: left)
            } catch {
                if isNew { removeNewFolder(folder) }
                throw error
            }
        }
    }

    /// Creates the temporary file, or takes the place of an empty one that a dead process left, and
    /// locks it.
    /// - Throws: `output.busy`, `output.exists`, `file.io`.
    func claimFile() throws(CheckpointError) -> Descriptor {
        while true {
            switch Descriptor.open(
                partialPath,
                flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
                name: name
            ) {
            case .success(let file):
                if file.lock() == EWOULDBLOCK { throw busyFile() }
                // Between creating and locking, somebody may have taken it for stale.
                let identity = try file.status().identity
                guard FileStatus(at: partialPath)?.identity == identity else { continue }
                return file
            case .failure(let failure) where failure.number == EEXIST: break
            case .failure(let failure):
                throw .systemCall(failure.number, "create the temporary file", file: partialPath)
            }
            guard let status = FileStatus(at: partialPath) else { continue }
            guard status.isRegular else { throw inTheWay() }
            switch Descriptor.open(
                partialPath,
                flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
                name: name
            ) {
            case .success(let stale):
                if stale.lock() == EWOULDBLOCK { throw busyFile() }
                guard FileStatus(at: partialPath)?.identity == (try stale.status()).identity else {
                    continue
                }
                // Nothing tells whose bytes they are.
                guard try stale.status().byteCount == 0 else { throw inTheWay() }
                if let failure = removeFile() { throw failure }
            case .failure(let failure) where failure.number == ENOENT: continue
            case .failure: throw inTheWay()
            }
        }
    }

    private func busyFile() -> CheckpointError {
        CheckpointError(
            .outputBusy,
            "another process is writing it",
            file: destination,
            hint: "wait until it is done"
        )
    }

    /// - Returns: whether it was not there before.
    private func makeFolder() throws(CheckpointError) -> Bool {
        while unsafe mkdir(partialPath, 0o700) != 0 {
            if errno == EEXIST { return false }
            if errno != EINTR {
                throw .systemCall(errno, "make the temporary folder", file: partialPath)
            }
        }
        return true
    }

    private func lockFile(
        in folder: Descriptor,
        paths: [String]
    ) throws(CheckpointError) -> LockFile {
        let file: Descriptor
        switch Descriptor.open(
            LockFile.fileName,
            below: folder,
            flags: O_RDWR | O_CREAT | O_NOFOLLOW,
            name: LockFile.fileName
        ) {
        case .success(let opened): file = opened
        case .failure(let failure):
            throw .systemCall(failure.number, "create the lock", file: LockFile.fileName)
        }
        let failure = file.lock()
        if failure == EWOULDBLOCK { throw busy(folder) }
        guard failure == 0 else { throw .systemCall(failure, "lock", file: LockFile.fileName) }
        return try LockFile(file, paths: paths.filter { $0 != LockFile.fileName })
    }

    /// The error that names the process which holds the lock.
    private func busy(_ folder: Descriptor) -> CheckpointError {
        let process = LockFile.content(in: folder)?.process ?? ""
        let holder = process.isEmpty ? "another process" : "process \(process)"
        return CheckpointError(
            .outputBusy,
            "\(holder) is writing it",
            file: destination,
            hint: "wait until it is done"
        )
    }

    // MARK: Removing

    /// Removes a temporary folder that was just made, with its lock.
    private func removeNewFolder(_ folder: Descriptor) {
        _ = folder.remove(LockFile.fileName)
        _ = removeFolder(folder, holding: FolderContent())
    }

    /// Removes the file at the temporary path.
    /// - Returns: what went wrong.
    func removeFile() -> CheckpointError? {
        while unsafe unlink(partialPath) != 0 {
            if errno == ENOENT { return nil }
            if errno != EINTR {
                return .systemCall(errno, "remove what was replaced", file: partialPath)
            }
        }
        return nil
    }
}
