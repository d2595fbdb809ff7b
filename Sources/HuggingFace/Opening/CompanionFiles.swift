internal import Files

/// The files of a model's folder that go with its weights, and what stays behind.
struct CompanionFiles {
    private(set) var companions: [Checkpoint.Companion] = []
    private(set) var warnings: [CheckpointWarning] = []
    private var leftOut: [String] = []
    private let options: Checkpoint.Options

    private static let modulesName: Name = "modules.json"
    private static let modulesByteCountLimit = 1 << 20
    private static let adapterConfigName: Name = "adapter_config.json"
    /// A folder of transformers 5 for chat templates beside the first.
    private static let templatesFolder: Name = "additional_chat_templates"
    /// More than any folder that goes with a model holds.
    private static let depthLimit = 4

    /// Collects them.
    ///
    /// - Parameters:
    ///   - folder: the model's.
    ///   - names: everything in it but hidden files.
    ///   - options: whether links may lead anywhere.
    ///   - ours: the files of weights, and files that the container itself brings, which replace
    ///     those of the same name.
    /// - Throws: what opening a file throws.
    init(
        of folder: InputFolder,
        _ names: [Name],
        _ options: Checkpoint.Options,
        besides ours: [Name]
    ) throws(CheckpointError) {
        self.options = options
        // Digests of another folder's files say nothing of the result.
        let known = Set(
            ours + [Name(CheckpointContents.configFileName), Name(ChecksumFile.fileName)]
        )
        let hasAdapter = names.contains(Self.adapterConfigName)
        let modules = try Self.moduleFolders(folder, names, options)
        for name in names where !known.contains(name) {
            // The loader of the model opens an adapter that lies beside it.
            let isAdapter = hasAdapter && name.hasPrefix("adapter_model.")
            let isFolder = folder.identity(of: name)?.isFolder == true
            if isFolder, modules.contains(name) || name == Self.templatesFolder {
                try add(folder.subfolder(named: name, followsLinks: options.followsLinks), name)
            } else if isFolder {
                leftOut.append("\(name)/")
            } else if name.isWeightFile, !isAdapter {
                // A file of weights in the same format is told of where the weights are chosen.
                if !name.isSafetensors, !name.hasSuffix(".safetensors.index.json") {
                    leftOut.append("\(name)")
                }
            } else {
                try add(name, in: folder, as: name)
            }
        }
        warnOfLeftOut()
    }

    /// The folders that `modules.json` of sentence-transformers names.
    private static func moduleFolders(
        _ folder: InputFolder,
        _ names: [Name],
        _ options: Checkpoint.Options
    ) throws(CheckpointError) -> Set<Name> {
        guard names.contains(modulesName) else { return [] }
        let file = try folder.file(named: modulesName, followsLinks: options.followsLinks)
        // The file is carried as it is; what is odd in it is its reader's business.
        guard let text = try? file.wholeText(limit: modulesByteCountLimit),
            case .array(let modules)? = try? JSONValue(parsing: text)
        else { return [] }
        return Set(
            modules.compactMap { module in
                guard case .object(let members) = module, case .string(let path)? = members["path"]
                else { return nil }
                return path.split(separator: "/").first.map { Name(String($0)) }
            }
        )
    }

    /// Adds everything in a folder.
    private mutating func add(
        _ folder: InputFolder,
        _ path: Name,
        depth: Int = 1
    ) throws(CheckpointError) {
        for name in try folder.listing() {
            let inner = Name(utf8: path.utf8 + [UInt8(ascii: "/")] + name.utf8)
            guard folder.identity(of: name)?.isFolder == true else {
                try add(name, in: folder, as: inner)
                continue
            }
            guard depth < Self.depthLimit else {
                leftOut.append("\(inner)/")
                continue
            }
            let subfolder = try folder.subfolder(
                named: name,
                followsLinks: options.followsLinks
            )
            try add(subfolder, inner, depth: depth + 1)
        }
    }

    private mutating func add(
        _ name: Name,
        in folder: InputFolder,
        as path: Name
    ) throws(CheckpointError) {
        guard let identity = folder.identity(of: name) else {
            return warn(.fileMissing, "a link that leads nowhere; left out", path)
        }
        guard identity.isRegularFile else {
            return warn(.fileNotRegular, "not a regular file; left out", path)
        }
        companions.append(
            Checkpoint.Companion(
                name: path,
                source: try folder.file(named: name, followsLinks: options.followsLinks)
            )
        )
    }

    private mutating func warnOfLeftOut() {
        guard let first = leftOut.first else { return }
        let others = leftOut.dropFirst()
        let shown = others.prefix(5).joined(separator: ", ")
        warn(
            .fileLeftOut,
            "left out" + (others.isEmpty ? "" : ", with \(shown)\(others.count > 5 ? ", …" : "")"),
            Name(first)
        )
    }

    private mutating func warn(_ code: CheckpointError.Code, _ message: String, _ name: Name) {
        warnings.append(CheckpointWarning(CheckpointError(code, message, file: name.text)))
    }
}
