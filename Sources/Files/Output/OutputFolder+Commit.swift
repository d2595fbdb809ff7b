internal import CSystem
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
    /// Puts the folder into place: it is there, whole and on the medium, when this returns.
    ///
    /// On an error the destination is as it was before.
    /// - Returns: what went wrong after the new folder was in place: the replaced one could not be
    ///   removed.
    /// - Precondition: every file is finished.
    /// - Throws: `output.exists` if the destination appeared meanwhile, `file.io`.
    @discardableResult
    package func commit() throws(CheckpointError) -> [CheckpointWarning] {
        state.withLock { state in
            precondition(state.stage == .building, "the output is \(state.stage)")
            for file in state.openFiles {
                precondition(file.isFinished, "\(file.fileName) is not finished")
            }
        }
        let replacesFolder: Bool
        let journalText = try journal?.bytes()
        do throws(CheckpointError) {
            try writeChecksums()
            replacesFolder = try isReplacing()
            try journal?.close()
            if journal != nil { try removeEntry(Journal.fileName) }
            // The lock on the folder itself stays until it has its final name.
            try removeEntry(LockFile.fileName)
            try finishFolders()
            try place.putIntoPlace(replaces: replacesFolder)
        } catch {
            if let journalText { try? restoreJournal(journalText) }
            throw error
        }
        state.withLock { $0.stage = .committed }
        try? lockFile.close()
        try? folder.close()
        guard replacesFolder, let replaced else { return [] }
        // What is at the temporary path now is the folder that was replaced.
        guard
            case .success(let old) = Descriptor.open(
                place.partialPath,
                flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                name: place.partialPath
            ), let failure = place.removeFolder(old, holding: replaced)
        else { return [] }
        return [CheckpointWarning(failure)]
    }

    /// Whether an earlier output is replaced: it has to be the one that was there at the beginning,
    /// unchanged.
    private func isReplacing() throws(CheckpointError) -> Bool {
        guard FileStatus(at: place.destination) != nil else { return false }
        guard let replaced else {
            throw place.existsError("it appeared while the output was made", hint: nil)
        }
        let now = Descriptor.open(
            place.destination,
            flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
            name: place.name
        )
        guard case .success(let folder) = now, try FolderContent(of: folder) == replaced else {
            throw place.existsError("it changed while the output was made", hint: nil)
        }
        return true
    }

    /// Writes the digests of all files.
    private func writeChecksums() throws(CheckpointError) {
        let (files, known) = state.withLock { ($0.openFiles.map(\.fileName), $0.digests) }
        let missing = files.filter { known[$0] == nil }
        let digests = Mutex(known)
        try workers.perform(missing.count) { (index, _) throws(CheckpointError) in
            let path = missing[index]
            let opened = Descriptor.open(
                path,
                below: self.folder,
                flags: O_RDONLY | O_NOFOLLOW,
                name: path
            )
            guard case .success(let file) = opened else {
                throw CheckpointError(.fileChanged, "the finished file is gone", file: path)
            }
            let bytes = DescriptorBytes(descriptor: file, byteCount: try file.status().byteCount)
            let digest = try FileDigest(of: bytes, budget: self.budget)
            digests.withLock { $0[path] = digest }
        }
        let sums = ChecksumFile(digests.withLock { $0 })
        try lockFile.announce([ChecksumFile.fileName])
        // A last step that failed may be tried again.
        try removeEntry(ChecksumFile.fileName)
        let opened = Descriptor.open(
            ChecksumFile.fileName,
            below: folder,
            flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
            name: ChecksumFile.fileName
        )
        switch opened {
        case .success(let descriptor):
            let file = try OutputFile(descriptor, finalMode: finalFileMode, byteCount: nil)
            try sums.text.withRawSpan { (bytes) throws(CheckpointError) in
                try file.write(bytes, at: 0)
            }
            try file.finish()
        case .failure(let failure):
            throw .systemCall(failure.number, "create the file", file: ChecksumFile.fileName)
        }
        state.withLock { $0.digests = digests.withLock { $0 } }
    }

    /// Gives the folder and those below their permissions, and brings their names to the medium.
    private func finishFolders() throws(CheckpointError) {
        let paths = state.withLock { Array($0.digests.keys) }
        for path in FolderContent.parents(of: paths).sorted(by: >) {
            switch Descriptor.open(path, below: folder, flags: O_RDONLY | O_DIRECTORY, name: path) {
            case .success(let inner):
                try inner.setMode(finalFolderMode)
                try inner.synchronize()
            case .failure(let failure):
                throw .systemCall(failure.number, "open the folder", file: path)
            }
        }
        try folder.setMode(finalFolderMode)
        try folder.synchronize()
    }

    /// The digests of all files, in order of their paths' bytes; complete after `commit()`.
    package var checksums: [ChecksumFile.Entry] {
        state.withLock { ChecksumFile($0.digests) }.entries
    }

    /// Writes the journal again, after it was removed for a last step that failed.
    private func restoreJournal(_ text: [UInt8]) throws(CheckpointError) {
        try folder.setMode(0o700)
        let opened = Descriptor.open(
            Journal.fileName,
            below: folder,
            flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
            name: Journal.fileName
        )
        guard case .success(let file) = opened else { return }
        try text.withRawSpan { (bytes) throws(CheckpointError) in try file.write(bytes, at: 0) }
        try file.synchronize()
        try file.close()
        try folder.synchronize()
    }

    /// Gives the output up: closes everything and removes the temporary folder, or keeps it if a
    /// later run can continue it.
    /// - Parameter error: why; the first error, which is what is reported.
    /// - Returns: the error, with a word on how to continue if that is possible.
    @discardableResult
    package func abandon(after error: CheckpointError?) -> CheckpointError? {
        let openFiles: [OutputFile]? = state.withLock { state in
            guard state.stage == .building else { return nil }
            state.stage = .abandoned
            return state.openFiles
        }
        guard let openFiles else { return error }
        for file in openFiles { file.discard() }
        try? journal?.close()
        defer {
            try? lockFile.close()
            try? folder.close()
        }
        guard let error, isWorthKeeping(after: error) else {
            removeOwn(except: [])
            _ = folder.remove(LockFile.fileName)
            _ = place.removeFolder(folder, holding: FolderContent())
            return error
        }
        removeOwn(except: (journal?.recordedNames ?? []).union([Journal.fileName]))
        _ = folder.remove(LockFile.fileName)
        var kept = error
        let advice = "what is finished is kept: the same run with `resumes` continues"
        kept.hint =
            error.code == .outputStopped
            ? advice
            : [error.hint, advice]
                .compactMap { $0 }.joined(separator: "; ")
        return kept
    }

    /// Whether a later run could use what is there.
    ///
    /// False for errors that a second run would repeat, and while no file is finished. A run that
    /// was stopped can always go on.
    private func isWorthKeeping(after error: CheckpointError) -> Bool {
        guard let journal else { return false }
        if error.code == .outputStopped { return true }
        guard !journal.recordedNames.isEmpty else { return false }
        switch error.code.category {
        case .inputOutput: return error.code != .fileChanged
        case .stopped, .interrupted: return true
        case .badData, .missingInput, .unsupported, .outputExists, .usage: return false
        }
    }

    /// Removes what this run and the one before it made, but for some files.
    private func removeOwn(except kept: Set<String>) {
        let own = state.withLock { $0.announced }
            .union([Journal.fileName, ChecksumFile.fileName]).subtracting(kept)
        try? FolderContent(of: folder).filter(own.contains).remove(from: folder)
    }
}
