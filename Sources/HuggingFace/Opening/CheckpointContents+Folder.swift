internal import Containers
internal import Files

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
        let found = try CompanionFiles(
            of: folder,
            names,
            options,
            besides: companions.map(\.name) + weightFiles.map { Name($0.fileName) }
        )
        companions = (companions + found.companions).sorted { $0.name < $1.name }
        warnings += found.warnings
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
}
