internal import CSystem

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Where an output goes: its destination, the temporary path beside it, and the folder of both.
struct OutputPlace {
    /// The destination without slashes at its end.
    let destination: String
    let partialPath: String
    /// The last component of the destination, for messages.
    let name: String
    private let parentPath: String
    private let parent: Descriptor

    /// Opens the folder around the destination; `partialName` makes the temporary name from the
    /// final one.
    init(
        _ path: String,
        partialName: (String) -> String
    ) throws(CheckpointError) {
        var trimmed = Substring(path)
        while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
        let slash = trimmed.lastIndex(of: "/")
        let name = String(slash.map { trimmed[trimmed.index(after: $0)...] } ?? trimmed)
        let folder = slash.map { $0 == trimmed.startIndex ? "/" : String(trimmed[..<$0]) } ?? "."
        guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(0) else {
            throw CheckpointError(
                .outputExists,
                "a destination needs a name of its own",
                file: path
            )
        }
        self.name = name
        destination = String(trimmed)
        parentPath = folder
        let prefix = folder == "/" ? "/" : slash == nil ? "" : folder + "/"
        partialPath = prefix + partialName(name)
        switch Descriptor.open(folder, flags: O_RDONLY | O_DIRECTORY, name: folder) {
        case .success(let opened): parent = opened
        case .failure(let failure):
            var error = CheckpointError.systemCall(
                failure.number,
                "open the folder of the output",
                file: folder
            )
            if failure.number == ENOENT {
                error.hint = "make the folder first; only the last one is made"
            }
            throw error
        }
    }

    // MARK: What must not be

    /// Throws if the destination is a source, lies inside one, or holds one.
    /// - Throws: `output.insideInput`.
    func requireOutside(_ sources: [String]) throws(CheckpointError) {
        let here = FileStatus(following: destination)?.identity
        let foldersAbove = Set(Self.identities(upFrom: parentPath))
        for source in sources {
            guard let status = FileStatus(following: source) else { continue }
            let relation: String
            if status.identity == here {
                relation = "the destination is the source"
            } else if foldersAbove.contains(status.identity) {
                relation = "the destination lies inside the source"
            } else if let here, Self.identities(upFrom: source).contains(here) {
                relation = "the source lies inside the destination"
            } else {
                continue
            }
            throw CheckpointError(
                .outputInsideInput,
                relation,
                file: destination,
                hint: "sources are never changed: name another destination"
            )
        }
    }

    func existsError(_ message: String, hint: String?) -> CheckpointError {
        CheckpointError(.outputExists, message, file: destination, hint: hint)
    }

    /// Returns the folder itself and all above it, links resolved.
    private static func identities(upFrom path: String) -> [FileStatus.Identity] {
        guard let resolved = unsafe realpath(path, nil) else { return [] }
        defer { unsafe free(resolved) }
        var current = unsafe String(cString: resolved)
        var found: [FileStatus.Identity] = []
        while true {
            if let status = FileStatus(following: current) { found.append(status.identity) }
            guard current != "/", let slash = current.lastIndex(of: "/") else { return found }
            current = slash == current.startIndex ? "/" : String(current[..<slash])
        }
    }

    // MARK: Renaming

    /// Renames the temporary path to the destination and synchronizes the folder around them.
    /// - Parameter replaces: whether what is at the destination goes to the temporary path.
    /// - Throws: `output.exists` if it appeared meanwhile; `file.io`, and then nothing has changed.
    func putIntoPlace(replaces: Bool) throws(CheckpointError) {
        let failure = replaces ? exchange() : move(partialPath, to: destination)
        if failure == EEXIST {
            throw existsError("it appeared while the output was made", hint: nil)
        }
        guard failure == 0 else { throw .systemCall(failure, "rename into place", file: name) }
        do throws(CheckpointError) {
            try parent.synchronize()
        } catch {
            // What is not certain to last is not there.
            _ = replaces ? exchange() : move(destination, to: partialPath)
            throw error
        }
    }

    /// Exchanges destination and temporary path.
    /// - Returns: 0, or the error number.
    private func exchange() -> Int32 {
        let failure = unsafe cs_rename_exchange(partialPath, destination)
        return failure == ENOTSUP ? exchangeInSteps() : failure
    }

    /// For file systems that cannot exchange: there is a moment without a destination.
    private func exchangeInSteps() -> Int32 {
        let aside = partialPath + ".old"
        var failure = move(destination, to: aside)
        guard failure == 0 else { return failure }
        failure = move(partialPath, to: destination)
        guard failure == 0 else {
            _ = move(aside, to: destination)
            return failure
        }
        return move(aside, to: partialPath)
    }

    /// Renames without replacing anything.
    /// - Returns: 0, or the error number; EEXIST if something is there.
    private func move(_ from: String, to target: String) -> Int32 {
        let failure = unsafe cs_rename_exclusive(from, target)
        guard failure == ENOTSUP else { return failure }
        guard FileStatus(at: target) == nil else { return EEXIST }
        while unsafe rename(from, target) != 0 {
            if errno != EINTR { return errno }
        }
        return 0
    }
}
