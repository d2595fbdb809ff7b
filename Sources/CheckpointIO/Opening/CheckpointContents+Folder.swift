extension CheckpointContents {
    /// The name of the file that describes a model.
    static let configFileName = "config.json"
    private static let configName = Name(configFileName)
    private static let configByteCountLimit = 16 << 20

    /// Opens the model in a folder.
    init(folder: InputFolder, options: Checkpoint.Options) throws(CheckpointError) {
        let names = try folder.listing()
        let layout = try WeightLayout(names: names, folderName: folder.name)
        switch layout.weights {
        case .gguf(let name):
            let file = try folder.file(named: name, followsLinks: options.followsLinks)
            try self.init(gguf: file, options: options)
            weightFiles = [file]
        case .single(let name):
            let configuration = try CheckpointContents.configuration(in: folder, options)
            let file = try folder.file(named: name, followsLinks: options.followsLinks)
            let safetensors = try SafetensorsFile(
                weights: file,
                memory: ZstdMemory(budget: options.budget)
            )
            self.init(
                name: folder.name,
                container: .safetensors,
                tensors: safetensors.tensors,
                configuration: configuration,
                metadata: safetensors.header.metadata,
                weightFiles: [file]
            )
        case .sharded(let indexName):
            let configuration = try CheckpointContents.configuration(in: folder, options)
            let shards = try ShardedTensors(
                index: indexName,
                in: folder,
                listing: names,
                options
            )
            self.init(
                name: folder.name,
                container: .safetensors,
                tensors: shards.tensors,
                configuration: configuration,
                metadata: shards.metadata,
                warnings: shards.warnings,
                weightFiles: shards.files,
                unmappedTensors: shards.unmapped
            )
        }
        self.folder = folder
        resolvedPath = folder.resolvedPath
        name = folder.name
        warnings = layout.warnings + warnings
        try addCompanions(of: folder, names, options)
    }

    /// Reads `config.json`; nil if it is missing and need not be there.
    private static func configuration(
        in folder: InputFolder,
        _ options: Checkpoint.Options
    ) throws(CheckpointError) -> JSONObject? {
        if options.allowsAnyArchitecture, folder.identity(of: configName) == nil { return nil }
        do throws(CheckpointError) {
            let file = try folder.file(named: configName, followsLinks: options.followsLinks)
            return try JSONObject(parsing: file.wholeText(limit: configByteCountLimit))
        } catch {
            var error = error.inFile(configName.text)
            if error.code == .fileMissing {
                error.hint = "a model's folder needs one; a single file can be opened without"
            }
            throw error
        }
    }

    /// Collects the files that go with the weights; those of a container replace files of the
    /// same name.
    private mutating func addCompanions(
        of folder: InputFolder,
        _ names: [Name],
        _ options: Checkpoint.Options
    ) throws(CheckpointError) {
        // Digests of another folder's files say nothing here.
        let ours = Set(companions.map(\.name) + [Name(ChecksumFile.fileName)])
        for name in names
        where name != CheckpointContents.configName && !name.isWeightFile && !ours.contains(name) {
            guard let identity = folder.identity(of: name) else {
                warn(.fileMissing, "a link that leads nowhere; left out", name)
                continue
            }
            guard !identity.isFolder else { continue }
            guard identity.isRegularFile else {
                warn(.fileNotRegular, "not a regular file; left out", name)
                continue
            }
            companions.append(
                Checkpoint.Companion(
                    name: name,
                    source: try folder.file(named: name, followsLinks: options.followsLinks)
                )
            )
        }
        companions.sort { $0.name < $1.name }
    }

    private mutating func warn(_ code: CheckpointError.Code, _ message: String, _ name: Name) {
        warnings.append(CheckpointWarning(CheckpointError(code, message, file: name.text)))
    }
}
