internal import CheckpointIO
internal import Tensors

/// A tensor of the plan with the work that it takes.
struct ConversionUnit: Sendable {
    let name: Name
    let shape: [Int]
    let sourceType: String
    let sourceByteCount: Int
    let action: TensorAction
    let work: Work
    /// The tensors that are written, the weight first.
    let outputs: [TensorDescription]
    /// Those whose length shows at the end.
    var lateOutputs: [SafetensorsLayout.LateTensor] = []

    /// How the tensors come about.
    enum Work: Sendable {
        /// Tile by tile, from the source into the file.
        case tiles(any WritingJob)
        /// By splitting the whole weight, beforehand.
        case decomposition(DecompositionJob)
    }

    init(
        name: Name,
        shape: [Int],
        sourceType: String,
        sourceByteCount: Int,
        action: TensorAction,
        job: any WritingJob,
        outputs: [TensorDescription],
        lateOutputs: [SafetensorsLayout.LateTensor] = []
    ) {
        self.name = name
        self.shape = shape
        self.sourceType = sourceType
        self.sourceByteCount = sourceByteCount
        self.action = action
        work = .tiles(job)
        self.outputs = outputs
        self.lateOutputs = lateOutputs
    }

    /// A weight that is split.
    init(
        _ job: DecompositionJob,
        by decomposer: any WeightDecomposer,
        sourceType: String,
        action: TensorAction
    ) {
        let kept = decomposer.kept
        name = job.name
        shape = [job.rowCount, job.columnCount]
        self.sourceType = sourceType
        sourceByteCount = job.sourceByteCount
        self.action = action
        work = .decomposition(job)
        // Where the model keeps nothing, what is beside it is all that is written.
        outputs = kept == .nothing ? decomposer.sideTensors(of: job.name) : job.outputs(kept)
        lateOutputs = job.lateOutputs(kept)
    }

    /// The bytes that count as done when its file is: a weight that is split counts before.
    var progressByteCount: Int {
        switch work {
        case .tiles: sourceByteCount
        case .decomposition: 0
        }
    }

    /// The bytes of all of them, late ones at their longest.
    var outputByteCount: Int {
        outputs.reduce(0) { $0 + $1.byteCount }
            + lateOutputs.reduce(0) { $0 + $1.maximumByteCount }
    }

    /// The names of everything that is written.
    var outputNames: [Name] { outputs.map(\.name) + lateOutputs.map(\.name) }

    /// The plan's line for it.
    func planned(inFile fileIndex: Int) -> ConversionPlan.Tensor {
        ConversionPlan.Tensor(
            name: name,
            shape: shape,
            sourceType: sourceType,
            sourceByteCount: sourceByteCount,
            action: action,
            outputByteCount: outputByteCount,
            sideByteCount: outputByteCount - (outputs.first?.byteCount ?? 0),
            fileIndex: fileIndex
        )
    }
}
