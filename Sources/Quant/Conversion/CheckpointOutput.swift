internal import CheckpointIO
internal import Machine
internal import SIMDKernels
internal import Tensors

/// Writes a checkpoint that is made of another one, tensor by tensor: what the converter and the
/// dequantizer have in common.
struct CheckpointOutput: Sendable {
    let checkpoint: Checkpoint
    let units: [ConversionUnit]
    /// `config.json`; nil for none.
    let configuration: [UInt8]?
    let shards: ShardPlan
    let metadata: [SafetensorsLayout.Metadata]
    let zstdLevel: Int?
    let plan: ConversionPlan
    /// The weights that are split; nil for none.
    let decomposition: DecompositionPlan?
    /// Whether the files of a model are written, and not only the one beside it.
    let writesModel: Bool
    private let layouts: [SafetensorsLayout]

    /// Plans files for units; a decomposer splits the weights whose units say so.
    /// - Throws: what makes a layout impossible, such as two tensors with one name.
    init(
        _ checkpoint: Checkpoint,
        units: [ConversionUnit],
        configuration: [UInt8]?,
        metadata: [SafetensorsLayout.Metadata] = [.formatPyTorch],
        maximumShardByteCount: Int?,
        zstdLevel: Int?,
        warnings: [CheckpointWarning],
        remedies: [ConversionPlan.Remedy] = [],
        decomposer: (any WeightDecomposer)? = nil
    ) throws(CheckpointError) {
        self.checkpoint = checkpoint
        self.units = units
        self.configuration = configuration
        self.metadata = metadata
        self.zstdLevel = zstdLevel
        shards = ShardPlan(
            byteCounts: units.map(\.outputByteCount),
            maximumByteCount: maximumShardByteCount
        )
        var layouts: [SafetensorsLayout] = []
        var fileIndices = [Int](repeating: 0, count: units.count)
        for (number, shard) in shards.shards.enumerated() {
            for index in shard.tensorIndices { fileIndices[index] = number }
            let members = shard.tensorIndices.map { units[$0] }
            layouts.append(
                try SafetensorsLayout(
                    tensors: members.flatMap(\.outputs),
                    lateTensors: members.flatMap(\.lateOutputs),
                    metadata: metadata
                )
            )
        }
        self.layouts = layouts
        writesModel = decomposer?.kept != .nothing
        var companionNames: [Name] = []
        var files: [ConversionPlan.File] = []
        if writesModel {
            companionNames += checkpoint.companions.map(\.name)
            if configuration != nil { companionNames.append("config.json") }
            if shards.shards.count > 1 { companionNames.append(Name(ShardPlan.indexFileName)) }
            files += zip(shards.shards, layouts).map { shard, layout in
                ConversionPlan.File(
                    name: shard.fileName + (zstdLevel == nil ? "" : ".zst"),
                    byteCount: layout.maximumFileByteCount
                )
            }
        }
        decomposition = decomposer.map { decomposer in
            let jobs = units.compactMap { unit in
                if case .decomposition(let job) = unit.work { job } else { nil }
            }
            return DecompositionPlan(jobs, decomposer)
        }
        if let decomposition {
            let side = decomposition.sideFile
            companionNames += side.texts.map { Name($0.path) }
            let byteCount = decomposition.sideByteCount
            files.append(ConversionPlan.File(name: side.path, byteCount: byteCount))
        }
        plan = ConversionPlan(
            tensors: zip(units, fileIndices).map { $0.planned(inFile: $1) },
            files: files,
            companionNames: companionNames.sorted(),
            warnings: warnings,
            remedies: remedies
        )
    }

    /// Writes everything.
    /// - Parameters:
    ///   - destination: the folder to make.
    ///   - fields: the options that decide bytes, for the journal.
    ///   - options: how to run.
    /// - Returns: what was done.
    /// - Throws: what the jobs and the output folder throw.
    func write(
        to destination: String,
        fields: [Fingerprint.Field],
        options: RunOptions
    ) throws(CheckpointError) -> ConversionReport {
        let workers = options.workers
        var fingerprint = Fingerprint(toolVersion: options.toolVersion, options: fields)
        try fingerprint.addInputs(of: checkpoint)
        let folder = try OutputFolder(
            at: destination,
            sources: [checkpoint.resolvedPath] + (decomposition?.decomposer.sources ?? []),
            overwrite: options.overwrites,
            fingerprint: fingerprint,
            resume: options.resumes,
            workers: workers,
            budget: options.budget
        )
        do throws(CheckpointError) {
            let run = FolderRun(
                output: self,
                folder: folder,
                runner: TileRunner(
                    workers: workers,
                    scratch: try ScratchPool(
                        workerCount: workers.threadCount,
                        budget: options.budget
                    ),
                    progress: ProgressTracker(
                        totalByteCount: plan.sourceByteCount,
                        options: options
                    )
                ),
                workers: workers,
                budget: options.budget
            )
            return try run.write(layouts)
        } catch {
            throw folder.abandon(after: error) ?? error
        }
    }
}
