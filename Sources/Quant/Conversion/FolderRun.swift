internal import CheckpointIO
internal import Machine
internal import Tensors

/// One run that fills an output folder.
struct FolderRun {
    let output: CheckpointOutput
    let folder: OutputFolder
    let runner: TileRunner
    let workers: WorkerPool
    let budget: MemoryBudget

    /// Writes the files, the index last, and puts the folder into place.
    func write(_ layouts: [SafetensorsLayout]) throws(CheckpointError) -> ConversionReport {
        try folder.announce(fileNames)
        try folder.requireRoom(for: byteCountToWrite)
        let decomposing = output.decomposition.map {
            DecompositionRun(
                plan: $0,
                folder: folder,
                workers: workers,
                budget: budget,
                progress: runner.progress
            )
        }
        let notes = try decomposing?.split(isWritten) ?? [:]
        if output.writesModel {
            if let configuration = output.configuration {
                try folder.writeFile("config.json", configuration)
            }
            for companion in output.checkpoint.companions { try copy(companion) }
        }
        var tensors = [ConversionReport.Tensor?](repeating: nil, count: output.units.count)
        var files: [ConversionReport.File] = []
        var totalByteCount = 0
        for (number, shard) in shards.enumerated() {
            let file = output.plan.files[number]
            let isResumed = folder.isResumed(file.name)
            let results = try isResumed ? skip(shard, file.name) : write(shard, layouts[number])
            // What states turned out to be long is in the file only.
            let written = try WrittenFile(folder.partialPath + "/" + file.name)
            totalByteCount += written.tensorByteCount
            files.append(
                ConversionReport.File(
                    name: file.name,
                    byteCount: written.byteCount,
                    unpackedByteCount: written.unpackedByteCount,
                    isResumed: isResumed
                )
            )
            for (index, result) in zip(shard.tensorIndices, results) {
                tensors[index] = report(index, result, written)
            }
        }
        if shards.count > 1 { try writeIndex(totalByteCount: totalByteCount) }
        if let decomposing {
            try decomposing.writeSide(notes)
            let side = decomposing.plan.sideFile
            let written = try WrittenFile(folder.partialPath + "/" + side.path)
            files.append(
                ConversionReport.File(
                    name: side.path,
                    byteCount: written.byteCount,
                    unpackedByteCount: written.unpackedByteCount,
                    isResumed: folder.isResumed(side.path)
                )
            )
            if !output.writesModel {
                tensors = output.units.indices.map { report($0, TensorOutcome(), written) }
            }
            try decomposing.removeParts()
        }
        try output.checkpoint.checkUnchanged()
        let warnings = try folder.commit()
        return ConversionReport(
            tensors: tensors.compactMap { $0 },
            files: files,
            checksums: folder.checksums,
            warnings: output.plan.warnings + warnings,
            notes: notes
        )
    }

    /// The files of the model.
    private var shards: [ShardPlan.Shard] { output.writesModel ? output.shards.shards : [] }

    /// The bytes of the files that no earlier run finished; of those to be packed the largest, since each is
    /// removed when it is packed, to a size that is not known yet.
    private var byteCountToWrite: Int {
        let counts = output.plan.files.filter { !folder.isResumed($0.name) }.map(\.byteCount)
        return output.zstdLevel == nil ? counts.reduce(0, +) : counts.max() ?? 0
    }

    /// Whether a weight is in a file that an earlier run finished.
    private func isWritten(_ name: Name) -> Bool {
        guard output.writesModel else { return false }
        guard let index = output.units.firstIndex(where: { $0.name == name }) else { return false }
        return folder.isResumed(output.plan.files[output.plan.tensors[index].fileIndex].name)
    }

    /// Everything that is going to be made, unpacked files of weights included.
    private var fileNames: [String] {
        output.plan.companionNames.map(\.text) + shards.map(\.fileName)
            + (output.zstdLevel == nil ? [] : output.plan.files.map(\.name))
            + (output.decomposition?.fileNames ?? [])
    }

    /// Writes a file of weights.
    private func write(
        _ shard: ShardPlan.Shard,
        _ layout: SafetensorsLayout
    ) throws(CheckpointError) -> [TensorOutcome] {
        let file = try folder.createFile(
            shard.fileName,
            byteCount: layout.maximumFileByteCount
        )
        let writer = SafetensorsWriter(layout, to: file)
        let jobs = shard.tensorIndices.map { BoundJob(job: job(of: $0), writer: writer) }
        let results = try runner.run(jobs).map(TensorOutcome.init)
        let note = TensorOutcome.note(of: results)
        try writer.finish()
        guard let level = output.zstdLevel else {
            try folder.finishAndRecord(file, note: note)
            return results
        }
        let packed = try folder.createFile(shard.fileName + ".zst")
        let progress = runner.progress
        let byteCount = file.byteCount
        try ZstdWriter(level: level).pack(
            file,
            boundaries: layout.boundaries,
            to: packed,
            workers: workers,
            budget: budget,
            stop: progress.stop,
            progress: { progress.packed($0, of: byteCount) }
        )
        try folder.removeFile(file)
        try folder.finishAndRecord(packed, note: note)
        return results
    }

    private func job(of index: Int) -> any WritingJob {
        let unit = output.units[index]
        switch unit.work {
        case .tiles(let job): return job
        case .decomposition:
            guard let part = output.decomposition?.partName(of: unit.name) else {
                preconditionFailure("\(unit.name) is not in the plan of weights that are split")
            }
            return KeptPartJob(unit: unit, path: folder.partialPath + "/" + part)
        }
    }

    /// Counts a file that an earlier run wrote.
    private func skip(
        _ shard: ShardPlan.Shard,
        _ name: String
    ) throws(CheckpointError) -> [TensorOutcome] {
        for index in shard.tensorIndices {
            let unit = output.units[index]
            try runner.progress.advance(by: unit.progressByteCount, tensor: unit.name)
        }
        return TensorOutcome.outcomes(
            of: shard.tensorIndices.count,
            in: folder.resumedNote(of: name)
        )
    }

    private func report(
        _ index: Int,
        _ outcome: TensorOutcome,
        _ written: WrittenFile
    ) -> ConversionReport.Tensor {
        let names = output.units[index].outputNames
        let byteCount = names.reduce(0) { $0 + (written.byteCounts[$1] ?? 0) }
        var distortion = outcome.distortion
        distortion?.storedByteCount = byteCount
        return ConversionReport.Tensor(
            plan: output.plan.tensors[index],
            outputByteCount: byteCount,
            distortion: distortion,
            flushedToZeroCount: outcome.flushedToZeroCount
        )
    }

    private func writeIndex(totalByteCount: Int) throws(CheckpointError) {
        let parameterCount = output.units.reduce(0) { $0 + $1.shape.reduce(1, *) }
        try folder.writeFile(
            ShardPlan.indexFileName,
            output.shards.indexText(
                groups: output.units.map(\.outputNames),
                totalByteCount: totalByteCount,
                totalParameterCount: parameterCount
            )
        )
    }

    private func copy(_ companion: Checkpoint.Companion) throws(CheckpointError) {
        let byteCount = companion.source.byteCount
        let file = try folder.createFile(companion.name.text, byteCount: byteCount)
        let pieceByteCount = 1 << 20
        var buffer = try AlignedBuffer.allocate(
            byteCount: min(byteCount, pieceByteCount),
            budget: budget
        )
        var offset = 0
        while offset < byteCount {
            let count = min(pieceByteCount, byteCount - offset)
            try buffer.withMutablePrefix(count) {
                (bytes: inout MutableRawSpan) throws(CheckpointError) in
                try companion.source.read(at: offset, into: &bytes)
            }
            try buffer.withPrefix(count) { (bytes) throws(CheckpointError) in
                try file.write(bytes, at: offset)
            }
            offset += count
        }
        try file.finish()
    }
}

/// The sizes of a file of weights that is finished.
private struct WrittenFile {
    let byteCount: Int
    let unpackedByteCount: Int
    let byteCounts: [Name: Int]

    init(_ path: String) throws(CheckpointError) {
        let file = try InputFile(at: path)
        let safetensors = try SafetensorsFile(weights: file)
        byteCount = file.byteCount
        unpackedByteCount = safetensors.source.byteCount
        var byteCounts: [Name: Int] = [:]
        for tensor in safetensors.tensors {
            byteCounts[tensor.description.name] = tensor.storedByteCount
        }
        self.byteCounts = byteCounts
    }

    /// The bytes of all tensors, without the header.
    var tensorByteCount: Int { byteCounts.values.reduce(0, +) }
}
