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
        let lockFile: Descriptor
        /// Whether it was made just now.
        let isNew: Bool
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
                if !isNew { try requireFlat(folder) }
                return Claim(folder: folder, lockFile: try lockFile(in: folder), isNew: isNew)
            } catch {
                if isNew { removeFolder(folder) }
                throw error
            }
        }
    }

    /// Creates the temporary file, or replaces one that a dead process left, and locks it.
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
                if let failure = removeTree() { throw failure }
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

    private func lockFile(in folder: Descriptor) throws(CheckpointError) -> Descriptor {
        let file: Descriptor
        switch Descriptor.open(
            Self.lockName,
            below: folder,
            flags: O_RDWR | O_CREAT | O_NOFOLLOW,
            name: Self.lockName
        ) {
        case .success(let opened): file = opened
        case .failure(let failure):
            throw .systemCall(failure.number, "create the lock", file: Self.lockName)
        }
        let failure = file.lock()
        if failure == EWOULDBLOCK { throw busy(folder) }
        guard failure == 0 else { throw .systemCall(failure, "lock", file: Self.lockName) }
        let text = Array("\(getpid())\n".utf8)
        try file.truncate(byteCount: 0)
        try text.withRawSpan { (bytes) throws(CheckpointError) in try file.write(bytes, at: 0) }
        return file
    }

    /// The error that names the process which holds the lock.
    private func busy(_ folder: Descriptor) -> CheckpointError {
        var holder = "another process"
        if case .success(let file) = Descriptor.open(
            Self.lockName,
            below: folder,
            flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
            name: Self.lockName
        ), let status = try? file.status(), status.isRegular, 1...20 ~= status.byteCount {
            var text = [UInt8](repeating: 0, count: status.byteCount)
            let isRead = text.withMutableRawSpan { bytes in
                (try? file.read(at: 0, into: &bytes)) != nil
            }
            let digits = text.prefix { 0x30...0x39 ~= $0 }
            if isRead, !digits.isEmpty {
                holder = "process \(String(decoding: digits, as: UTF8.self))"
            }
        }
        return CheckpointError(
            .outputBusy,
            "\(holder) is writing it",
            file: destination,
            hint: "wait until it is done"
        )
    }

    private func inTheWay() -> CheckpointError {
        CheckpointError(
            .outputExists,
            "something that is no output of this library is at the temporary path",
            file: partialPath,
            hint: "remove it yourself, or name another destination"
        )
    }

    /// Throws if a left-over temporary folder holds folders: this library makes none.
    private func requireFlat(_ folder: Descriptor) throws(CheckpointError) {
        for entry in try folder.entries()
        where FileStatus(of: entry, in: folder)?.isFolder == true {
            throw inTheWay()
        }
    }

    // MARK: Removing

    /// Removes the temporary folder and everything in it, as far as that is possible.
    func removeFolder(_ folder: Descriptor) {
        for entry in (try? folder.entries()) ?? [] { _ = folder.remove(entry) }
        guard FileStatus(at: partialPath)?.identity == (try? folder.status())?.identity else {
            return
        }
        while unsafe rmdir(partialPath) != 0, errno == EINTR {}
    }

    /// Removes what is at the temporary path: a flat folder, a file, or a link.
    /// - Returns: what went wrong.
    func removeTree() -> CheckpointError? {
        guard let status = FileStatus(at: partialPath) else { return nil }
        guard status.isFolder else {
            while unsafe unlink(partialPath) != 0 {
                if errno != EINTR {
                    return .systemCall(errno, "remove what was replaced", file: partialPath)
                }
            }
            return nil
        }
        if case .success(let folder) = Descriptor.open(
            partialPath,
            flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
            name: partialPath
        ) {
            for entry in (try? folder.entries()) ?? [] { _ = folder.remove(entry) }
        }
        while unsafe rmdir(partialPath) != 0 {
            if errno != EINTR {
                return .systemCall(errno, "remove what was replaced", file: partialPath)
            }
        }
        return nil
    }
}
