#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Everything that is in a folder and below it.
struct FolderContent: Equatable {
    /// A file, a link or whatever else is no folder.
    struct Entry: Equatable {
        /// Its path below the folder.
        let path: String
        let status: FileStatus
    }

    private(set) var files: [Entry] = []
    /// The folders below, each before what is in it.
    private(set) var folders: [String] = []

    /// Deeper folders than any output has are not looked into.
    private static let depthLimit = 8

    /// An empty folder's.
    init() {}

    /// Goes through a folder in the order of names.
    /// - Parameters:
    ///   - folder: where to begin.
    ///   - check: called with each path before anything else is looked at; what it throws ends the
    ///     walk.
    /// - Throws: what `check` throws; `file.io`.
    init(
        of folder: Descriptor,
        check: (_ path: String, _ status: FileStatus) throws(CheckpointError) -> Void = { _, _ in }
    ) throws(CheckpointError) {
        try walk(folder, prefix: "", depth: 0, check)
    }

    var isEmpty: Bool { files.isEmpty && folders.isEmpty }

    /// The same without the files that a condition rejects.
    func filter(_ isKept: (_ path: String) -> Bool) -> FolderContent {
        var content = self
        content.files.removeAll { !isKept($0.path) }
        return content
    }

    /// Removes all of it from the folder, as far as the system allows; what appeared since stays.
    func remove(from folder: Descriptor) {
        var isComplete = true
        for file in files where file.path != ChecksumFile.fileName {
            guard FileStatus(of: file.path, in: folder) == file.status else { continue }
            if folder.remove(file.path) != 0 { isComplete = false }
        }
        // The list goes last: while it is there, what is left can be told from what is not ours.
        for file in files where isComplete && file.path == ChecksumFile.fileName {
            _ = folder.remove(file.path)
        }
        for path in folders.reversed() { _ = folder.removeFolder(path) }
    }

    private mutating func walk(
        _ folder: Descriptor,
        prefix: String,
        depth: Int,
        _ check: (String, FileStatus) throws(CheckpointError) -> Void
    ) throws(CheckpointError) {
        for entry in try folder.entries() {
            guard let status = FileStatus(of: entry, in: folder) else { continue }
            let path = prefix + entry
            try check(path, status)
            guard status.isFolder, depth < Self.depthLimit else {
                files.append(Entry(path: path, status: status))
                continue
            }
            folders.append(path)
            switch Descriptor.open(
                entry,
                below: folder,
                flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                name: path
            ) {
            case .success(let inner):
                try walk(inner, prefix: path + "/", depth: depth + 1, check)
            case .failure(let failure):
                throw .systemCall(failure.number, "look into the folder", file: path)
            }
        }
    }
}
