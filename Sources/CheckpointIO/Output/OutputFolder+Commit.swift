internal import CSystem
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
    public func commit() throws(CheckpointError) -> [CheckpointWarning] {
        state.withLock { state in
            precondition(state.stage == .building, "the output is \(state.stage)")
            for file in state.openFiles {
                precondition(file.isFinished, "\(file.fileName) is not finished")
            }
        }
        let replacesFolder: Bool
        let journalText = try journal?.bytes()
        do throws(CheckpointError) {
            try journal?.close()
            if journal != nil { try removeEntry(Journal.fileName) }
            // The lock on the folder itself stays until it has its final name.
            try removeEntry(OutputPlace.lockName)
            try folder.setMode(finalFolderMode)
            try folder.synchronize()
            replacesFolder = try place.putIntoPlace(overwrite: overwrites)
        } catch {
            if let journalText { try? restoreJournal(journalText) }
            throw error
        }
        state.withLock { $0.stage = .committed }
        try? lockFile.close()
        try? folder.close()
        guard replacesFolder else { return [] }
        // What is at the temporary path now is the folder that was replaced.
        guard let failure = place.removeTree() else { return [] }
        return [CheckpointWarning(failure)]
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
    public func abandon(after error: CheckpointError?) -> CheckpointError? {
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
            place.removeFolder(folder)
            return error
        }
        removeUnrecorded()
        _ = folder.remove(OutputPlace.lockName)
        var kept = error
        let advice = "what is finished is kept: run the same command with --resume to continue"
        kept.hint =
            error.code == .outputStopped
            ? advice
            : [error.hint, advice]
                .compactMap { $0 }.joined(separator: "; ")
        return kept
    }

    /// Whether a later run could use what is there.
    ///
    /// Not after an error that comes again, and not if there is nothing yet. A run that was stopped can always go on.
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

    /// Removes the files that a later run would have to write anew.
    private func removeUnrecorded() {
        guard let journal, let entries = try? folder.entries() else { return }
        let kept = journal.recordedNames.union([Journal.fileName, OutputPlace.lockName])
        for entry in entries where !kept.contains(entry) { _ = folder.remove(entry) }
    }
}
