internal import CheckpointIO
internal import Machine
internal import Tensors

/// Splits the weights of a run and writes the file beside the model.
struct DecompositionRun {
    let plan: DecompositionPlan
    let folder: OutputFolder
    let workers: WorkerPool
    let budget: MemoryBudget
    let progress: ProgressTracker

    /// Splits all weights, but for those whose results are in finished files.
    /// - Parameter isFinished: whether a weight's file of the model is there already.
    /// - Returns: what was noted of each weight.
    /// - Throws: what the decomposer and the output folder throw.
    func split(
        _ isFinished: (Name) -> Bool
    ) throws(CheckpointError) -> [Name: JSONObject] {
        let hasSide = folder.isResumed(plan.sideFile.path)
        let earlier = hasSide ? folder.resumedNote(of: plan.sideFile.path) : nil
        var notes: [Name: JSONObject] = [:]
        for (index, job) in plan.jobs.enumerated() {
            let part = plan.partName(index)
            if hasSide, isFinished(job.name) || folder.isResumed(part) {
                notes[job.name] = (try? earlier?.optionalObject(job.name)) ?? nil
            } else if folder.isResumed(part) {
                notes[job.name] = folder.resumedNote(of: part)
            } else {
                do throws(CheckpointError) {
                    notes[job.name] = try split(job, into: part)
                } catch {
                    throw error.ofTensor(job.name)
                }
            }
            try progress.advance(by: job.sourceByteCount, tensor: job.name)
        }
        return notes
    }

    /// Splits one weight.
    private func split(
        _ job: DecompositionJob,
        into part: String
    ) throws(CheckpointError) -> JSONObject {
        let byteCount = plan.decomposer.byteCount(forRows: job.rowCount, columns: job.columnCount)
        do throws(AllocationError) {
            try budget.reserve(byteCount)
        } catch {
            throw CheckpointError(error)
        }
        defer { budget.release(byteCount) }
        let result = try plan.decomposer.decompose(
            try job.matrix(on: workers),
            of: job.name,
            config: job.config,
            dtype: job.dtype,
            on: workers
        )
        // A name may occur in both.
        let tensors =
            try job.tensors(result.kept).map { Self.renamed($0, Self.keptPrefix) }
            + result.side.map { Self.renamed($0, Self.sidePrefix) }
        let layout = try SafetensorsLayout(tensors: tensors.map(\.description))
        let file = try folder.createFile(part, byteCount: layout.maximumFileByteCount)
        let writer = SafetensorsWriter(layout, to: file)
        for tensor in tensors { try writer.write(tensor.bytes, of: tensor.description.name) }
        try writer.finish()
        try folder.finishAndRecord(file, note: result.note)
        return result.note
    }

    /// Writes the file beside the model, and the texts that belong to it.
    func writeSide(_ notes: [Name: JSONObject]) throws(CheckpointError) {
        let path = plan.sideFile.path
        if !folder.isResumed(path) {
            let layout = try SafetensorsLayout(
                tensors: plan.sideTensors,
                metadata: [.formatPyTorch] + plan.decomposer.sideMetadata(notes)
            )
            let file = try folder.createFile(path, byteCount: layout.maximumFileByteCount)
            let writer = SafetensorsWriter(layout, to: file)
            var buffer = try AlignedBuffer.allocate(byteCount: PartFile.pieceByteCount)
            for (index, job) in plan.jobs.enumerated() {
                let part = try PartFile(folder.partialPath + "/" + plan.partName(index))
                for tensor in plan.decomposer.sideTensors(of: job.name) {
                    try part.copy(Self.sidePrefix, tensor.name, to: writer, through: &buffer)
                }
            }
            try writer.finish()
            let members = notes.sorted { $0.key < $1.key }
            let note = members.map { ($0.key, JSONValue.object($0.value)) }
            try folder.finishAndRecord(file, note: JSONObject(note))
        }
        for text in plan.sideFile.texts {
            try folder.writeFile(text.path, Array(text.text.utf8))
        }
    }

    /// Removes what was made on the way.
    func removeParts() throws(CheckpointError) {
        for index in plan.jobs.indices { try folder.removeFile(named: plan.partName(index)) }
    }

    /// What stands before the names of tensors that the model keeps, and of those beside it.
    static let (keptPrefix, sidePrefix) = ("kept.", "side.")

    private static func renamed(_ tensor: TensorBytes, _ prefix: String) -> TensorBytes {
        let description = tensor.description
        return TensorBytes(
            TensorDescription(
                name: Name(prefix + description.name.text),
                dtype: description.dtype,
                shape: description.shape
            ),
            tensor.bytes
        )
    }
}

/// The result for one weight, on its way into the files that are wanted.
struct PartFile {
    /// So many bytes are copied at once.
    static let pieceByteCount = 1 << 20

    private let views: [Name: TensorView]

    init(_ path: String) throws(CheckpointError) {
        let file = try SafetensorsFile(at: path)
        views = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.description.name, $0) })
    }

    /// Copies a tensor.
    /// - Precondition: it was written, and its elements fill whole bytes.
    func copy(
        _ prefix: String,
        _ name: Name,
        to writer: SafetensorsWriter,
        through buffer: inout AlignedBuffer
    ) throws(CheckpointError) {
        let view = try view(prefix, name)
        let size = view.description.dtype.bitCount / 8
        let step = Self.pieceByteCount / size
        for start in stride(from: 0, to: view.description.elementCount, by: step) {
            let end = min(start + step, view.description.elementCount)
            let byteCount = (end - start) * size
            try buffer.withMutablePrefix(byteCount) {
                (bytes: inout MutableRawSpan) throws(CheckpointError) in
                try view.read(start..<end, into: &bytes)
            }
            try buffer.withPrefix(byteCount) { (bytes) throws(CheckpointError) in
                try writer.write(bytes, of: name, at: start * size)
            }
        }
    }

    /// Returns the bytes of a short tensor.
    func bytes(_ prefix: String, _ name: Name) throws(CheckpointError) -> [UInt8] {
        let view = try view(prefix, name)
        var bytes = [UInt8](repeating: 0, count: view.description.byteCount)
        try bytes.withMutableRawSpan { (span: inout MutableRawSpan) throws(CheckpointError) in
            try view.read(0..<view.description.elementCount, into: &span)
        }
        return bytes
    }

    private func view(_ prefix: String, _ name: Name) throws(CheckpointError) -> TensorView {
        guard let view = views[Name(prefix + name.text)] else {
            let message = "the file of a finished weight changed"
            throw CheckpointError(.fileChanged, message, tensor: name)
        }
        return view
    }
}

/// Puts the kept part of a weight that was split into a file of the model.
struct KeptPartJob: WritingJob {
    let unit: ConversionUnit
    /// Where the result for the weight is.
    let path: String

    var name: Name { unit.name }
    var elementCount: Int { max(1, unit.shape.reduce(1, *)) }
    /// One tile: copying is short.
    var tileElementCount: Int { elementCount }
    /// Counted when it was split.
    var sourceByteCount: Int { 0 }

    func run(
        _ range: Range<Int>,
        phase: Int,
        scratch: inout WorkerScratch,
        writer: SafetensorsWriter
    ) throws(CheckpointError) -> TileResult {
        try scratch.reserve(input: PartFile.pieceByteCount)
        let part = try PartFile(path)
        let prefix = DecompositionRun.keptPrefix
        for tensor in unit.outputs {
            try part.copy(prefix, tensor.name, to: writer, through: &scratch.input)
        }
        for late in unit.lateOutputs {
            writer.setLateTensor(late.name, to: try part.bytes(prefix, late.name))
        }
        return TileResult()
    }
}
