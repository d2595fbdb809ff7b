#if canImport(Glibc)
internal import Glibc
#else
internal import Darwin
#endif

/// A folder that is read, held open by its descriptor.
package final class InputFolder: Sendable {
    /// The last component of the path.
    package let name: String
    package let identity: FileIdentity
    private let descriptor: Int32
    /// The path without links.
    package let resolvedPath: String
    /// Where links may lead: into the folder, and into the files of the cache around it.
    private let permittedPrefixes: [String]

    /// Opens the folder at a path that the user gave; links are followed.
    /// - Throws: `file.missing`, `file.unreadable` or `file.io`.
    package convenience init(at path: String) throws(CheckpointError) {
        try self.init(at: path, permittedPrefixes: nil)
    }

    private init(
        at path: String,
        permittedPrefixes: [String]?
    ) throws(CheckpointError) {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        let descriptor = retryingInterrupted {
            unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        }
        guard descriptor >= 0 else {
            throw CheckpointError.system(errno, "cannot be opened", file: name)
        }
        do throws(CheckpointError) {
            identity = try FileIdentity(descriptor: descriptor, fileName: name)
            guard let resolved = InputFolder.resolved(path) else {
                throw CheckpointError.system(errno, "cannot be resolved", file: name)
            }
            resolvedPath = resolved
            self.permittedPrefixes =
                permittedPrefixes ?? InputFolder.permittedPrefixes(around: resolved)
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.name = name
    }

    deinit {
        close(descriptor)
    }

    /// Returns the names in the folder in the order of their bytes, without `.` and `..`, hidden
    /// ones, and names that are not UTF-8.
    /// - Throws: `file.io`.
    package func listing() throws(CheckpointError) -> [Name] {
        // A descriptor of its own: reading the folder moves the descriptor's position.
        let copy = unsafe openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard copy >= 0, let stream = unsafe fdopendir(copy) else {
            let number = errno
            if copy >= 0 { close(copy) }
            throw CheckpointError.system(number, "cannot be listed", file: name)
        }
        defer { unsafe _ = closedir(stream) }
        var names: [Name] = []
        errno = 0
        while let entry = unsafe readdir(stream) {
            let bytes = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { buffer in
                unsafe Array(buffer.prefix { $0 != 0 })
            }
            if bytes.first != UInt8(ascii: "."), UTF8Validation.isValid(bytes) {
                names.append(Name(utf8: bytes))
            }
            errno = 0
        }
        guard errno == 0 else {
            throw CheckpointError.system(errno, "cannot be listed", file: name)
        }
        return names.sorted()
    }

    /// Returns what a name stands for, with links followed; nil if there is nothing.
    package func identity(of name: Name) -> FileIdentity? {
        var status = stat()
        guard unsafe fstatat(descriptor, name.text, &status, 0) == 0 else { return nil }
        return FileIdentity(status)
    }

    /// Opens a file of the folder.
    ///
    /// A symbolic link may end inside the folder, or, in the layout of the Hugging Face cache
    /// (`…/snapshots/REVISION/file`), in the sibling `…/blobs`.
    /// - Parameters:
    ///   - name: one plain name; see `checkPlainName(_:)` for names from outside.
    ///   - followsLinks: lets links end anywhere.
    /// - Returns: the opened file.
    /// - Throws: `path.linkOutside`, or as `InputFile.init(at:)`.
    package func file(
        named name: Name,
        followsLinks: Bool = false
    ) throws(CheckpointError) -> InputFile {
        let text = name.text
        let isLink = try isLink(name)
        let opened = retryingInterrupted {
            unsafe openat(descriptor, text, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        }
        guard opened >= 0 else {
            throw CheckpointError.system(errno, "cannot be opened", file: text)
        }
        let file = try InputFile(descriptor: opened, fileName: text)
        if isLink && !followsLinks { try checkTarget(of: name, is: file) }
        return file
    }

    /// Opens a folder of the folder; a link to one leads where links to files may.
    package func subfolder(
        named name: Name,
        followsLinks: Bool = false
    ) throws(CheckpointError) -> InputFolder {
        let subfolder = try InputFolder(
            at: "\(resolvedPath)/\(name.text)",
            permittedPrefixes: permittedPrefixes
        )
        let target = subfolder.resolvedPath + "/"
        guard
            followsLinks || permittedPrefixes.contains(where: { target.utf8.starts(with: $0.utf8) })
        else { throw InputFolder.linkOutside(name) }
        return subfolder
    }

    private static func linkOutside(_ name: Name) -> CheckpointError {
        CheckpointError(
            .pathLinkOutside,
            "a symbolic link that leaves the model's folder",
            file: name.text,
            hint: "`followsLinks` permits it, if you trust it"
        )
    }

    private func isLink(_ name: Name) throws(CheckpointError) -> Bool {
        var status = stat()
        guard unsafe fstatat(descriptor, name.text, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw CheckpointError.system(errno, "cannot be examined", file: name.text)
        }
        return FileIdentity(status).isLink
    }

    /// Makes sure that the opened file lies where a link may lead.
    private func checkTarget(of name: Name, is file: InputFile) throws(CheckpointError) {
        var status = stat()
        if let target = InputFolder.resolved("\(resolvedPath)/\(name.text)"),
            permittedPrefixes.contains(where: { target.utf8.starts(with: $0.utf8) }),
            unsafe stat(target, &status) == 0,
            // The link may have been changed between opening and resolving.
            FileIdentity(status).isSameFile(as: file.identity)
        {
            return
        }
        throw InputFolder.linkOutside(name)
    }

    private static func permittedPrefixes(around resolvedPath: String) -> [String] {
        var prefixes = [resolvedPath + "/"]
        var components = resolvedPath.split(separator: "/", omittingEmptySubsequences: false)
        if components.count > 3, components[components.count - 2] == "snapshots" {
            components.removeLast(2)
            prefixes.append(components.joined(separator: "/") + "/blobs/")
        }
        return prefixes
    }

    package static func resolved(_ path: String) -> String? {
        guard let resolved = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(resolved) }
        return unsafe String(validatingCString: resolved)
    }

    /// Throws unless a file name out of a JSON file is one plain name of a safetensors file.
    /// - Throws: `path.escape` for separators, else `path.badName`.
    package static func checkPlainName(_ name: Name) throws(CheckpointError) {
        func failure(_ code: CheckpointError.Code, _ message: String) -> CheckpointError {
            CheckpointError(code, message, found: "\"\(name)\"")
        }
        let bytes = name.utf8
        guard !bytes.isEmpty else { throw failure(.pathBadName, "an empty file name") }
        guard bytes.count <= 255 else {
            throw CheckpointError(
                .pathBadName,
                "a file name of \(bytes.count) bytes; 255 are allowed: \"\(name)\""
            )
        }
        guard !bytes.contains(UInt8(ascii: "/")), !bytes.contains(UInt8(ascii: "\\")) else {
            throw CheckpointError(
                .pathEscape,
                "a file name with a path separator: \"\(name)\"",
                hint: "files of a model lie beside its index"
            )
        }
        guard bytes != Array(".".utf8), bytes != Array("..".utf8) else {
            throw CheckpointError(.pathBadName, "\"\(name)\" is not a file name")
        }
        guard !name.hasControlCharacters else {
            throw CheckpointError(.pathBadName, "a file name with a control character: \"\(name)\"")
        }
        guard name.hasSuffix(".safetensors") || name.hasSuffix(".safetensors.zst") else {
            throw CheckpointError(
                .pathBadName,
                "not the name of a safetensors file: \"\(name)\"",
                hint: name.isPickle ? pickleHint : nil
            )
        }
    }

    /// What to do with a pickle.
    package static let pickleHint =
        "pickles can run code and are never opened; save the model as safetensors with the"
        + " program that made it"
}

extension Name {
    /// Whether a character of the category Cc is in it.
    package var hasControlCharacters: Bool {
        text.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }
    }

    /// Whether it ends with these bytes.
    package func hasSuffix(_ suffix: String) -> Bool {
        utf8.count >= suffix.utf8.count && utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
    }

    /// Whether it begins with these bytes.
    package func hasPrefix(_ prefix: String) -> Bool {
        utf8.starts(with: prefix.utf8)
    }

    /// Whether its ending is one of files that torch pickles.
    package var isPickle: Bool {
        [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"].contains { hasSuffix($0) }
    }
}
